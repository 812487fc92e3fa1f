// The sessions of a live window, and a person's word on each: good or bad, or a scenario made of it.
import * as React from "react";
import { sayOfSession } from "./api";
import { failureOf } from "./failures";
import { Ago, many, Problem, visible } from "./parts";
import { Kept, Remember } from "./remember";
import type { Remembered, Session } from "./shapes";

const { useRef, useState } = React;

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

interface OfRow {
  one: Session;
  said: boolean | null;
  busy: boolean;
  say: (good: boolean) => void;
  remember: () => void;
}

function Row({ one, said, busy, say, remember }: OfRow): React.JSX.Element {
  const session = one.session_id;
  return (
    <tr>
      <td className="ksi-mono" data-name="Session">
        {visible(session)}
      </td>
      <td className="ksi-when" data-name="Your word">
        <span>
          {[true, false].map((good) => (
            <Word key={String(good)} good={good} said={said} busy={busy} session={session} say={say} />
          ))}
          <button
            type="button"
            className="ksi-go ksi-small"
            data-remember={session}
            aria-label={`Remember this session: ${visible(session)}`}
            onClick={remember}
          >
            Remember
          </button>
        </span>
      </td>
      <td data-name="Outcome">{visible(one.outcome)}</td>
      <td data-name="Counts">{one.counted ? "yes" : visible(one.reason)}</td>
      <td className="ksi-when" data-name="Began">
        <Ago at={one.started_at} />
      </td>
    </tr>
  );
}

function Aside({ children }: { children: React.ReactNode }): React.JSX.Element {
  return (
    <tr className="ksi-aside">
      <td colSpan={5}>{children}</td>
    </tr>
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
  const [chosen, setChosen] = useState<string | null>(null);
  const [made, setMade] = useState<{ session: string; found: Remembered } | null>(null);
  const place = useRef<HTMLDetailsElement>(null);

  function leave(): void {
    const buttons = place.current?.querySelectorAll<HTMLElement>("[data-remember]") ?? [];
    [...buttons].find((one) => one.dataset.remember === chosen)?.focus();
    setChosen(null);
  }

  function remembered(found: Remembered): void {
    if (chosen) setMade({ session: chosen, found });
    leave();
  }

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
    <details className="ksi-more" ref={place}>
      <summary>{many(sessions.length, "session")}; say how one went</summary>
      <Problem text={error} />
      <div className="ksi-scroll">
        <table className="ksi-table ksi-cards">
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
              <React.Fragment key={one.session_id}>
                <Row
                  one={one}
                  said={kept[one.session_id] ?? one.feedback}
                  busy={busy}
                  say={(good) => void say(one.session_id, good)}
                  remember={() => setChosen(one.session_id)}
                />
                {chosen === one.session_id ? (
                  <Aside>
                    <Remember profile={profile} session={chosen} made={remembered} cancel={leave} />
                  </Aside>
                ) : (
                  made?.session === one.session_id && (
                    <Aside>
                      <Kept profile={profile} found={made.found} />
                    </Aside>
                  )
                )}
              </React.Fragment>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
