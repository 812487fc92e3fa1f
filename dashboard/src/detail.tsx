// One experiment: its diff, what was measured, what happened so far, and the decisions its state allows.
import * as React from "react";
import { act, errorText, health, history, reviewers, type Experiment, type Health, type Reviewers, type State, type Transition, type Verb } from "./api";
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

// Whether a reviewer signs it: an approval, and taking back what was verified.
function isSigned(verb: Verb, experiment: Experiment, house: Health): boolean {
  return house.approval !== "unsigned" && (verb === "approve" || (verb === "revert" && experiment.state === "verified"));
}

interface Asking {
  needed: { field: string; question: string } | null;
  signers: Reviewers | null;
  verb: Verb;
  busy: boolean;
  answer: (body: Record<string, string>) => void;
  cancel: () => void;
}

function Ask(props: Asking): React.JSX.Element {
  const [words, setWords] = useState("");
  const [name, setName] = useState<string | null>(null);
  const [passphrase, setPassphrase] = useState("");
  const reviewer = name ?? props.signers?.reviewers[0]?.name ?? "";
  const said = props.needed === null || words.trim() !== "";
  const ready = said && (props.signers === null || (reviewer !== "" && passphrase !== "")) && !props.busy;
  function body(): Record<string, string> {
    return {
      ...(props.needed && { [props.needed.field]: words.trim() }),
      ...(props.signers && { reviewer, passphrase }),
    };
  }
  return (
    <form
      className="ksi-ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) props.answer(body());
        setPassphrase("");
      }}
    >
      {props.needed && (
        <>
          <label htmlFor="ksi-words">{props.needed.question}</label>
          <input id="ksi-words" autoFocus maxLength={500} value={words} onChange={(event) => setWords(event.target.value)} />
        </>
      )}
      {props.signers && (
        <>
          <label htmlFor="ksi-reviewer">Signed by</label>
          <select id="ksi-reviewer" value={reviewer} onChange={(event) => setName(event.target.value)}>
            {props.signers.reviewers.map((one) => <option key={one.public_key} value={one.name}>{visible(one.name)}</option>)}
          </select>
          <label htmlFor="ksi-passphrase">Passphrase</label>
          <input
            id="ksi-passphrase"
            type="password"
            autoComplete="off"
            value={passphrase}
            onChange={(event) => setPassphrase(event.target.value)}
          />
        </>
      )}
      <button className={`ksi-go ksi-go-${props.verb}`} type="submit" disabled={!ready}>{LABELS[props.verb]}</button>
      <button className="ksi-go" type="button" onClick={props.cancel}>Cancel</button>
    </form>
  );
}

function Decisions({ experiment, house, done }: { experiment: Experiment; house: Health; done: () => void }): React.JSX.Element | null {
  const [asking, setAsking] = useState<Verb | null>(null);
  const [signers, setSigners] = useState<Reviewers | null>(null);
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

  async function begin(verb: Verb): Promise<void> {
    setError(null);
    try {
      const who = isSigned(verb, experiment, house) ? await reviewers() : null;
      if (who?.trouble) return setError(who.trouble);
      setSigners(who);
    } catch (thrown) {
      return setError(errorText(thrown));
    }
    if (wordsNeeded(verb, experiment) || isSigned(verb, experiment, house)) setAsking(verb);
    else await decide(verb, {});
  }

  return (
    <section>
      {asking && verbs.includes(asking) ? (
        <Ask
          key={asking}
          needed={wordsNeeded(asking, experiment)}
          signers={signers}
          verb={asking}
          busy={busy}
          answer={(body) => void decide(asking, body)}
          cancel={() => setAsking(null)}
        />
      ) : (
        <div className="ksi-actions">
          {verbs.map((verb) => (
            <button
              key={verb}
              type="button"
              className={`ksi-go ksi-go-${verb}`}
              disabled={busy}
              onClick={() => void begin(verb)}
            >
              {LABELS[verb]}
            </button>
          ))}
        </div>
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
