// One experiment: its change, what was measured, its live window, what happened, and the decisions its state allows.
import * as React from "react";
import { health, history, review, runningJobs } from "./api";
import { Decisions } from "./decisions";
import { Change } from "./diff";
import { Evaluation } from "./evaluation";
import { useFresh } from "./hooks";
import { LiveWindow, useLive } from "./live";
import { Ago, Facts, Loading, Problem, StateBadge, visible, Warnings } from "./parts";
import { Proposal } from "./proposal";
import type { Experiment, Job } from "./shapes";
import type { Happening } from "./tail";
import { Trail } from "./trail";

const { useCallback } = React;
const JOBS_MS = 4_000;

function Head({ experiment }: { experiment: Experiment }): React.JSX.Element {
  return (
    <>
      <h2 tabIndex={-1}>
        Experiment {experiment.id} <StateBadge state={experiment.state} />
      </h2>
      <p className="ksi-muted">
        {visible(experiment.profile)} / <span className="ksi-mono">{visible(experiment.target_relpath)}</span>, proposed
        by {visible(experiment.proposed_by)} <Ago at={experiment.created_at} />
      </p>
      {experiment.rationale && <p className="ksi-why">{visible(experiment.rationale)}</p>}
    </>
  );
}

function Figures({ experiment }: { experiment: Experiment }): React.JSX.Element {
  const { live_sessions_target: target, live_sessions_observed: seen } = experiment;
  return (
    <Facts
      facts={[
        ["Live sessions", target === null ? null : `${seen ?? 0} counted, ${target} planned`],
        ["Live verdict", experiment.live_verdict],
        ["Applied in", experiment.apply_commit_sha?.slice(0, 10) ?? null],
        ["Taken back in", experiment.revert_commit_sha?.slice(0, 10) ?? null],
      ]}
    />
  );
}

function Measuring({ id }: { id: number }): React.JSX.Element | null {
  const jobs = useFresh(runningJobs, undefined, JOBS_MS);
  const mine: Job | undefined = jobs.value?.find((one) => one.experiment_id === id);
  if (!mine) return null;
  const done = mine.total === null ? "" : ` ${mine.done} of ${mine.total} runs are done.`;
  return (
    <p className="ksi-note" role="status">
      Job {mine.id} is measuring it.{done}{" "}
      {mine.total !== null && <progress value={mine.done} max={mine.total} aria-label="runs done" />}
    </p>
  );
}

export function Detail({ id }: { id: number }): React.JSX.Element {
  const mine = useCallback((one: Happening) => one.experiment_id === id || one.kind.startsWith("file."), [id]);
  const found = useFresh(
    useCallback(() => review(id), [id]),
    mine,
  );
  const past = useFresh(
    useCallback(() => history(id), [id]),
    mine,
  );
  const window = useLive(id);
  const house = useFresh(health);
  const experiment = found.value?.experiment;
  const done = (): void => [found, past, window].forEach((one) => one.refresh());
  return (
    <>
      <p className="ksi-back">
        <a href="#/">← All experiments</a>
      </p>
      <Warnings health={house.value} />
      <Problem text={found.error ?? past.error ?? house.error} />
      {!found.value && !found.error && <Loading />}
      {found.value && experiment && (
        <article className="ksi-detail">
          <Head experiment={experiment} />
          {found.value.proposal && <Proposal said={found.value.proposal} />}
          <Change review={found.value} />
          {experiment.evaluation_status === "running" && <Measuring id={id} />}
          {house.value && (
            <Decisions
              experiment={experiment}
              house={house.value}
              asks={window.found?.asks ?? false}
              drifted={found.value.drifted === true}
              done={done}
            />
          )}
          <Figures experiment={experiment} />
          <Evaluation review={found.value} results={past.value?.scenario_results ?? []} />
          {experiment.state !== "rejected" && <LiveWindow experiment={experiment} {...window} />}
          <Trail transitions={past.value?.transitions ?? []} />
        </article>
      )}
    </>
  );
}
