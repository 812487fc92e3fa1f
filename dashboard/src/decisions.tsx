// What a person can decide about one experiment today, as buttons.
import * as React from "react";
import { Actions, type Action, type Tone } from "./actions";
import { toExperiment } from "./address";
import { act, proposeAgain, type Decision } from "./api";
import type { Failure } from "./failures";
import { PASSED } from "./measured";
import type { Experiment, Health, Purpose, Signature } from "./shapes";

const { useState } = React;

interface Known {
  experiment: Experiment;
  signedHere: boolean;
  asks: boolean;
  drifted: boolean;
}

interface Made {
  label: string;
  tone: Tone;
  decision: Decision;
  why?: string;
  purpose?: Purpose | false;
  choice?: "keep" | "revert";
  body: (reason: string) => object;
}

function action({ experiment }: Known, name: string, made: Made): Action {
  const { id, candidate_sha256 } = experiment;
  return {
    name,
    label: made.label,
    tone: made.tone,
    candidate: candidate_sha256,
    ...(made.why && { why: made.why }),
    ...(made.purpose && {
      signed: { purpose: made.purpose, experiment: id, ...(made.choice && { decision: made.choice }) },
    }),
    send: (reason: string, signature: Signature | null) =>
      act(id, made.decision, { ...made.body(reason), ...signature }),
  };
}

function toApprove(known: Known): Action[] {
  const { experiment, signedHere } = known;
  const seen = { candidate_sha256: experiment.candidate_sha256 };
  const measured = experiment.evaluation_status === "finished";
  const verdict = measured && experiment.verdict;
  const approve = action(known, "approve", {
    label: "Approve",
    tone: "good",
    decision: "approve",
    purpose: signedHere && "approve",
    body: () => seen,
  });
  const override = action(known, "override", {
    label: measured ? "Approve all the same" : "Approve unmeasured",
    tone: "plain",
    decision: "approve",
    why: measured
      ? `The verdict of its evaluation: ${verdict || "none"}. Why approve it all the same?`
      : "It is not measured. Why approve it all the same?",
    purpose: signedHere && "override",
    body: (reason) => ({ ...seen, override_reason: reason }),
  });
  return verdict === PASSED ? [approve, override] : [override];
}

function toReject(known: Known): Action {
  const withdrawn = known.experiment.state === "approved";
  return action(known, withdrawn ? "withdraw" : "reject", {
    label: withdrawn ? "Withdraw approval" : "Reject",
    tone: "bad",
    decision: "reject",
    why: withdrawn ? "Why is the approval withdrawn?" : "Why is it rejected?",
    body: (reason) => ({ reason }),
  });
}

// A force is signed wherever it is given; it is offered once the file is known to be another one.
function toForce(known: Known, decision: "apply" | "revert"): Action[] {
  if (!known.drifted) return [];
  return [
    action(known, "force", {
      label: decision === "apply" ? "Apply over the edit" : "Revert over the edit",
      tone: "bad",
      decision,
      why: "The file was edited since. Why write over that edit?",
      purpose: "force",
      body: (reason) => ({ reason, force: true }),
    }),
  ];
}

function toRevert(known: Known): Action {
  return action(known, "revert", {
    label: "Revert",
    tone: "bad",
    decision: "revert",
    why: "Why is it taken back?",
    purpose: known.experiment.state === "verified" && known.signedHere && "revert-verified",
    body: (reason) => ({ reason }),
  });
}

function toDecide(known: Known): Action[] {
  const choices = {
    keep: ["Keep it", "good", "Its window was unclear. Why keep it?"],
    revert: ["Take it back", "bad", "Why is it taken back?"],
  } as const;
  return (["keep", "revert"] as const).map((choice) => {
    const [label, tone, why] = choices[choice];
    return action(known, `decide-${choice}`, {
      label,
      tone,
      why,
      choice,
      decision: "decide",
      purpose: known.signedHere && "decide",
      body: (reason) => ({ decision: choice, reason }),
    });
  });
}

function actions(known: Known): Action[] {
  const { experiment, asks } = known;
  const evaluate = action(known, "evaluate", {
    label: "Evaluate again",
    tone: "plain",
    decision: "evaluate",
    body: () => ({}),
  });
  const apply = action(known, "apply", { label: "Apply", tone: "good", decision: "apply", body: () => ({}) });
  const again: Action = {
    name: "again",
    label: "Propose again",
    tone: "plain",
    send: async () => void (window.location.hash = toExperiment(await proposeAgain(experiment.id))),
  };
  const measuring = experiment.evaluation_status === "queued" || experiment.evaluation_status === "running";
  switch (experiment.state) {
    case "proposed":
      return [...toApprove(known), toReject(known), ...(measuring ? [] : [evaluate])];
    case "approved":
      return [apply, ...toForce(known, "apply"), toReject(known)];
    case "live":
      return [...(asks ? toDecide(known) : [toRevert(known)]), ...toForce(known, "revert")];
    case "verified":
      return [toRevert(known), ...toForce(known, "revert")];
    default:
      return [again];
  }
}

interface Props {
  experiment: Experiment;
  house: Health;
  asks: boolean;
  drifted: boolean;
  done: () => void;
}

export function Decisions({ experiment, house, asks, drifted, done }: Props): React.JSX.Element {
  const [refused, setRefused] = useState(false);
  const failed = (failure: Failure): void => setRefused(failure.code === "file_drifted");
  const known = {
    experiment,
    signedHere: house.approval !== "unsigned",
    asks,
    drifted: drifted || refused || experiment.manual_conflict_detected === 1,
  };
  return (
    <section aria-label="Decide">
      {asks && (
        <p className="ksi-note ksi-warning" role="status">
          <strong>A person decides.</strong> The live window ended without being able to tell.
        </p>
      )}
      <Actions actions={actions(known)} done={done} failed={failed} />
    </section>
  );
}
