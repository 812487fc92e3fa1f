// One experiment: its diff, what was measured, what happened so far, and the decisions its state allows.
import * as React from "react";
import { act, errorText, health, history, type Experiment, type Health, type State, type Transition, type Verb } from "./api";
import { usePolled } from "./hooks";
import { Ago, Diff, Problem, StateBadge, visible, Warnings } from "./parts";

const { useCallback, useState } = React;

const VERBS: Record<State, Verb[]> = {
  proposed: ["approve", "reject"],
  approved: ["apply", "reject"],
  live: ["revert"],
  verified: ["revert"],
  reverted: [],
  rejected: [],
};
const LABELS: Record<Verb, string> = { approve: "Approve", reject: "Reject", apply: "Apply", revert: "Revert" };

// The words a decision needs from the reviewer: the name of the field in the request, and the question put to them.
function wordsNeeded(verb: Verb, experiment: Experiment): { field: string; question: string } | null {
  if (verb === "reject") return { field: "reason", question: "Why is it rejected?" };
  if (verb === "revert") return { field: "reason", question: "Why is it taken back?" };
  if (verb === "approve" && experiment.evaluation_status !== "finished") {
    return { field: "override_reason", question: "It is not measured. Why approve it all the same?" };
  }
  return null;
}

function Ask(props: { question: string; verb: Verb; busy: boolean; answer: (words: string) => void; cancel: () => void }): React.JSX.Element {
  const [words, setWords] = useState("");
  const ready = words.trim() !== "" && !props.busy;
  return (
    <form
      className="ksi-ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) props.answer(words.trim());
      }}
    >
      <label htmlFor="ksi-words">{props.question}</label>
      <input id="ksi-words" autoFocus maxLength={500} value={words} onChange={(event) => setWords(event.target.value)} />
      <button className={`ksi-go ksi-go-${props.verb}`} type="submit" disabled={!ready}>{LABELS[props.verb]}</button>
      <button className="ksi-go" type="button" onClick={props.cancel}>Cancel</button>
    </form>
  );
}

function Decisions({ experiment, house, done }: { experiment: Experiment; house: Health; done: () => void }): React.JSX.Element | null {
  const [asking, setAsking] = useState<Verb | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const verbs = VERBS[experiment.state];

  async function decide(verb: Verb, body: Record<string, string>): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await act(experiment.id, verb, body);
      setAsking(null);
    } catch (thrown) {
      setError(errorText(thrown));
    } finally {
      setBusy(false);
      done();
    }
  }

  function begin(verb: Verb): void {
    setError(null);
    if (wordsNeeded(verb, experiment)) setAsking(verb);
    else void decide(verb, {});
  }

  const needed = asking && verbs.includes(asking) ? wordsNeeded(asking, experiment) : null;
  const unsignable = house.approval !== "unsigned";
  return (
    <section>
      {needed && asking ? (
        <Ask
          key={asking}
          question={needed.question}
          verb={asking}
          busy={busy}
          answer={(words) => void decide(asking, { [needed.field]: words })}
          cancel={() => setAsking(null)}
        />
      ) : (
        <div className="ksi-actions">
          {verbs.map((verb) => (
            <button
              key={verb}
              type="button"
              className={`ksi-go ksi-go-${verb}`}
              disabled={busy || (verb === "approve" && unsignable)}
              onClick={() => begin(verb)}
            >
              {LABELS[verb]}
            </button>
          ))}
        </div>
      )}
      {verbs.includes("approve") && unsignable && (
        <p className="ksi-muted">An approval is signed on a terminal: <code>hermes ratchet approve {experiment.id}</code></p>
      )}
      <Problem text={error} />
    </section>
  );
}

function score(value: number | null): string {
  return value === null ? "\u2014" : `${Math.round(value * 100)} %`;
}

function Facts({ experiment }: { experiment: Experiment }): React.JSX.Element {
  const watched = experiment.live_sessions_target === null ? "\u2014" : `${experiment.live_sessions_observed ?? 0} of ${experiment.live_sessions_target}`;
  const facts: [string, string | null][] = [
    ["Evaluation", experiment.evaluation_status],
    ["Baseline", score(experiment.baseline_score)],
    ["Candidate", score(experiment.offline_score)],
    ["Live sessions", watched],
    ["Live verdict", experiment.live_verdict],
    ["Applied in", experiment.apply_commit_sha?.slice(0, 10) ?? null],
    ["Taken back in", experiment.revert_commit_sha?.slice(0, 10) ?? null],
    ["Rejected because", experiment.rejection_reason],
  ];
  return (
    <dl className="ksi-facts">
      {facts.filter(([, value]) => value !== null).map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd>{visible(value ?? "")}</dd></div>
      ))}
    </dl>
  );
}

function Trail({ transitions }: { transitions: Transition[] }): React.JSX.Element {
  return (
    <ol className="ksi-trail">
      {transitions.map((step, index) => (
        <li key={index}>
          <StateBadge state={step.to_state} /> <span>{visible(step.actor ?? "")}</span>{" "}
          <span className="ksi-muted"><Ago at={step.created_at} /></span>
          {step.reason && <div className="ksi-muted">{visible(step.reason)}</div>}
        </li>
      ))}
    </ol>
  );
}

export function Detail({ id }: { id: number }): React.JSX.Element {
  const found = usePolled(useCallback(() => history(id), [id]));
  const house = usePolled(health);
  const experiment = found.value?.experiment;
  return (
    <>
      <p className="ksi-back"><a href="#/">← All experiments</a></p>
      <Warnings health={house.value} />
      <Problem text={found.error ?? house.error} />
      {!experiment && found.error === null && <p className="ksi-empty">Loading…</p>}
      {experiment && (
        <article className="ksi-detail">
          <h2>
            Experiment {experiment.id} <StateBadge state={experiment.state} />
          </h2>
          <p className="ksi-muted">
            {visible(experiment.profile)} / <span className="ksi-mono">{visible(experiment.target_relpath)}</span>, proposed{" "}
            <Ago at={experiment.created_at} />
          </p>
          {experiment.rationale && <p className="ksi-why">{visible(experiment.rationale)}</p>}
          <Diff text={experiment.diff} />
          <Facts experiment={experiment} />
          {house.value && <Decisions experiment={experiment} house={house.value} done={found.refresh} />}
          <h3>What happened</h3>
          <Trail transitions={found.value?.transitions ?? []} />
        </article>
      )}
    </>
  );
}
