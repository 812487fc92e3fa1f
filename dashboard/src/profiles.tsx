// The profiles of this machine: where each stands, and its figures.
import * as React from "react";
import { toExperiment, toProfile } from "./address";
import { health, profiles } from "./api";
import { useFresh } from "./hooks";
import { Loading, percent, Problem, visible, Warnings } from "./parts";
import type { Profile } from "./shapes";

const TONES: Record<string, string> = {
  paused: "ksi-tone-bad",
  live: "ksi-live",
  approved: "ksi-approved",
  "backing off": "ksi-live",
};

export function Standing({ profile }: { profile: Profile }): React.JSX.Element {
  const badge = <span className={`ksi-badge ${TONES[profile.state] ?? "ksi-tone-plain"}`}>{profile.state}</span>;
  return profile.in_flight === null ? (
    badge
  ) : (
    <>
      {badge} <a href={toExperiment(profile.in_flight)}>experiment {profile.in_flight}</a>
    </>
  );
}

const COLUMNS = ["Profile", "State", "Proposed", "Verified", "Reverted", "Scenarios", "Baseline"] as const;

function Row({ one }: { one: Profile }): React.JSX.Element {
  const { scenario_counts: scenarios, experiment_counts: counts } = one;
  const cells: Record<(typeof COLUMNS)[number], React.ReactNode> = {
    Profile: <a href={toProfile(one.profile)}>{visible(one.profile)}</a>,
    State: (
      <span>
        <Standing profile={one} />
      </span>
    ),
    Proposed: counts.proposed,
    Verified: counts.verified,
    Reverted: counts.reverted,
    Scenarios: `${scenarios.train} + ${scenarios.holdout} held out`,
    Baseline: percent(one.latest_baseline_score),
  };
  return (
    <tr>
      {COLUMNS.map((name) => (
        <td key={name} data-name={name}>
          {cells[name]}
        </td>
      ))}
    </tr>
  );
}

export function Profiles(): React.JSX.Element {
  const found = useFresh(profiles);
  const house = useFresh(health);
  return (
    <>
      <h2 tabIndex={-1}>Profiles</h2>
      <Warnings health={house.value} />
      <Problem text={found.error} />
      {!found.value && !found.error && <Loading />}
      {found.value && (
        <div className="ksi-scroll">
          <table className="ksi-table ksi-cards">
            <thead>
              <tr>
                {COLUMNS.map((name) => (
                  <th key={name}>{name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.value.map((one) => (
                <Row key={one.profile} one={one} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
