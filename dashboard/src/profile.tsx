// One profile: pause and resume it, its scenarios, and a look at the held-out ones for ten minutes.
import * as React from "react";
import { Actions, type Action } from "./actions";
import { askProposer, health, pause, profiles, resume, scenarios, unlock } from "./api";
import { useCountdown, useFresh } from "./hooks";
import { Ago, Facts, Loading, percent, Problem, visible, Warnings } from "./parts";
import { Standing } from "./profiles";
import type { Health, Profile as Known, Scenario } from "./shapes";
import type { Happening } from "./tail";

const { useCallback, useEffect } = React;

function actions(profile: Known, house: Health, unlocked: boolean): Action[] {
  const name = profile.profile;
  const signedHere = house.approval !== "unsigned";
  const going: Action = profile.paused
    ? {
        name: "resume",
        label: "Resume",
        tone: "good",
        send: (_, signature) => resume(name, signature),
        ...(signedHere && { signed: { purpose: "resume", profile: name } }),
      }
    : {
        name: "pause",
        label: "Pause",
        tone: "bad",
        why: "Why is it paused?",
        send: (reason) => pause(name, reason),
      };
  const look: Action = {
    name: "unlock",
    label: "Unlock held-out scenarios",
    tone: "plain",
    signed: { purpose: "reveal-holdout", profile: name },
    send: (_, signature) => unlock(name, signature),
  };
  const propose: Action = { name: "propose", label: "Ask for a change", tone: "plain", send: () => askProposer(name) };
  return [
    ...(profile.paused ? [] : [propose]),
    going,
    ...(profile.scenario_counts.holdout > 0 && !unlocked ? [look] : []),
  ];
}

function Countdown({ seconds }: { seconds: number }): React.JSX.Element {
  const shown = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return (
    <p className="ksi-note ksi-warning">
      <strong>Held-out scenarios are unlocked</strong> for <span role="timer">{shown}</span> more. That is on record; do
      not write changes from what you read there.
    </p>
  );
}

// Each check on a line: its type, then what it is given.
function checksOf({ checks }: Scenario): string[] {
  try {
    const parsed = JSON.parse(checks) as Record<string, unknown>[];
    return parsed.map(
      ({ type, ...rest }) =>
        `${String(type)}: ${Object.values(rest)
          .map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
          .join(", ")}`,
    );
  } catch {
    return [checks];
  }
}

// A draft is on no side of the split: which one is decided once it can be run.
function Marks({ one }: { one: Scenario }): React.JSX.Element {
  const side = one.holdout ? "held out" : "train";
  return (
    <>
      {one.not_run !== null && <span className="ksi-badge ksi-tone-unsure">draft</span>}
      {one.not_run === null && <span className="ksi-badge ksi-tone-plain">{side}</span>}
      {one.critical === 1 && <span className="ksi-badge ksi-tone-plain">critical</span>}
    </>
  );
}

function OneScenario({ one }: { one: Scenario }): React.JSX.Element {
  const hidden = one.holdout === 1 && one.input === "";
  return (
    <details className="ksi-scenario">
      <summary>
        <span className="ksi-scenario-name">{visible(one.name)}</span>
        <Marks one={one} />
      </summary>
      <div className="ksi-inside">
        {one.not_run && <p className="ksi-note ksi-warning">No evaluation runs it: {visible(one.not_run)}.</p>}
        {hidden ? (
          <p className="ksi-muted">What it asks is held out. A reviewer can unlock it for ten minutes.</p>
        ) : (
          <>
            <pre className="ksi-words">{visible(one.input)}</pre>
            <ul className="ksi-checks">
              {checksOf(one).map((check, index) => (
                <li key={index}>{visible(check)}</li>
              ))}
            </ul>
          </>
        )}
      </div>
    </details>
  );
}

function Figures({ profile }: { profile: Known }): React.JSX.Element {
  return (
    <>
      <p className="ksi-muted ksi-mono">{visible(profile.profile_root)}</p>
      <Facts
        facts={[
          ["Baseline", percent(profile.latest_baseline_score)],
          ["Sessions in a live window", String(profile.live_sessions_target)],
          ["Proposer", profile.proposer_model],
          ["Judge", profile.judge_model],
          ["Plugin", profile.configured ? "switched on" : "switched off here"],
        ]}
      />
      {profile.last_proposal_at && (
        <p className="ksi-muted">
          Last proposal <Ago at={profile.last_proposal_at} />.
        </p>
      )}
    </>
  );
}

export function Profile({ name }: { name: string }): React.JSX.Element {
  const mine = useCallback((one: Happening) => one.profile === name, [name]);
  const all = useFresh(profiles, mine);
  const listed = useFresh(
    useCallback(() => scenarios(name), [name]),
    mine,
  );
  const house = useFresh(health);
  const profile = all.value?.find((one) => one.profile === name);
  const seconds = useCountdown(profile?.holdout_unlocked_until ?? null);
  const unlocked = seconds > 0;
  const done = (): void => [all, listed].forEach((one) => one.refresh());
  useEffect(listed.refresh, [unlocked]);
  return (
    <>
      <p className="ksi-back">
        <a href="#/profiles">← All profiles</a>
      </p>
      <h2 tabIndex={-1}>
        Profile {visible(name)} {profile && <Standing profile={profile} />}
      </h2>
      <Warnings health={house.value} />
      <Problem text={all.error ?? listed.error} />
      {!all.value && !all.error && <Loading />}
      {all.value && !profile && <p className="ksi-empty">There is no such profile.</p>}
      {unlocked && <Countdown seconds={seconds} />}
      {profile && <Figures profile={profile} />}
      {profile && house.value && <Actions actions={actions(profile, house.value, unlocked)} done={done} />}
      {profile && (
        <section aria-label="Scenarios">
          <h3>Scenarios</h3>
          {listed.value?.length === 0 && (
            <p className="ksi-muted">None yet. Add one: hermes ratchet scenario add --help</p>
          )}
          <div className="ksi-scenarios">
            {listed.value?.map((one) => (
              <OneScenario key={one.id} one={one} />
            ))}
          </div>
        </section>
      )}
    </>
  );
}
