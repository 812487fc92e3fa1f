// The sessions of a live window, and a person's word on each: good or bad, which outweighs what was measured.
import * as React from "react";
import { sayOfSession } from "./api";
import { failureOf } from "./failures";
import { Ago, many, Problem, visible } from "./parts";
import type { Session } from "./shapes";

const { useState } = React;

function Word(props: {
  good: boolean;
  said: boolean | null;
  busy: boolean;
  session: string;
  say: (good: boolean) => void;
}): React.JSX.Element {
  const name = props.good ? "Good" : "Bad";
  return (
    <button
      type="button"
      className={`ksi-go ksi-small ksi-tone-${props.good ? "good" : "bad"}`}
      aria-pressed={props.said === props.good}
      aria-label={`${name}: session ${visible(props.session)}`}
      disabled={props.busy}
      onClick={() => props.say(props.good)}
    >
      {name}
    </button>
  );
}

export function Sessions({
  profile,
  sessions,
  done,
}: {
  profile: string;
  sessions: Session[];
  done: () => void;
}): React.JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [kept, setKept] = useState<Record<string, boolean>>({}); // also what came too late to count in this window
  async function say(session: string, good: boolean): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await sayOfSession(profile, session, good);
      setKept((before) => ({ ...before, [session]: good }));
    } catch (thrown) {
      setError(failureOf(thrown).text);
    }
    setBusy(false);
    done();
  }
  return (
    <details className="ksi-more">
      <summary>{many(sessions.length, "session")}; say how one went</summary>
      <Problem text={error} />
      <div className="ksi-scroll">
        <table className="ksi-table">
          <thead>
            <tr>
              <th>Session</th>
              <th>Your word</th>
              <th>Outcome</th>
              <th>Counts</th>
              <th>Began</th>
            </tr>
          </thead>
          <tbody>
            {sessions.map((one) => (
              <tr key={one.session_id}>
                <td className="ksi-mono">{visible(one.session_id)}</td>
                <td className="ksi-when">
                  {[true, false].map((good) => (
                    <Word
                      key={String(good)}
                      good={good}
                      said={kept[one.session_id] ?? one.feedback}
                      busy={busy}
                      session={one.session_id}
                      say={(it) => void say(one.session_id, it)}
                    />
                  ))}
                </td>
                <td>{visible(one.outcome)}</td>
                <td>{one.counted ? "yes" : visible(one.reason)}</td>
                <td className="ksi-when">
                  <Ago at={one.started_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
