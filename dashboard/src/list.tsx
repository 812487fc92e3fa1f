// The list: every experiment, newest first, filtered by profile and state.
import * as React from "react";
import { toExperiment, toList, type Filter } from "./address";
import { experiments, health, profiles } from "./api";
import { useFresh } from "./hooks";
import { Measured } from "./measured";
import { Ago, firstLine, Loading, Problem, StateBadge, visible, Warnings } from "./parts";
import { STATES, type Experiment } from "./shapes";

const { useCallback } = React;
const NEVER = (): boolean => false;

function Choice(props: {
  label: string;
  all: string;
  value: string;
  options: readonly string[];
  choose: (value: string) => void;
}): React.JSX.Element {
  return (
    <label className="ksi-choice">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.choose(event.target.value)}>
        <option value="">{props.all}</option>
        {props.options.map((option) => (
          <option key={option} value={option}>
            {visible(option)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Row({ row }: { row: Experiment }): React.JSX.Element {
  return (
    <tr>
      <td>
        <a href={toExperiment(row.id)}>{row.id}</a>
      </td>
      <td>{visible(row.profile)}</td>
      <td className="ksi-mono">{visible(row.target_relpath)}</td>
      <td>
        <StateBadge state={row.state} />
      </td>
      <td>
        <Measured of={row} />
      </td>
      <td className="ksi-when">
        <Ago at={row.created_at} />
      </td>
      <td className="ksi-rationale">
        <a href={toExperiment(row.id)}>{firstLine(row.rationale) || "\u2014"}</a>
      </td>
    </tr>
  );
}

function Nothing({ filtered }: { filtered: boolean }): React.JSX.Element {
  if (filtered) return <p className="ksi-empty">No experiment matches this filter.</p>;
  return (
    <div className="ksi-empty">
      <p>No experiments yet. Propose the first change from a terminal:</p>
      <code>hermes ratchet new --target default --file SOUL.md --replace "old words" "new words"</code>
    </div>
  );
}

// The chosen one is there before the others are known, and where it is no profile of this machine any more.
const offered = (names: string[], chosen: string): string[] =>
  chosen && !names.includes(chosen) ? [...names, chosen] : names;

export function List({ filter }: { filter: Filter }): React.JSX.Element {
  const { profile, state, before } = filter;
  const page = useFresh(useCallback(() => experiments(profile, state, before), [profile, state, before]));
  const house = useFresh(health);
  const known = useFresh(profiles, NEVER);
  const rows = page.value?.experiments ?? [];
  const next = page.value?.next_before ?? null;
  const show = (other: Partial<Filter>): void =>
    void (window.location.hash = toList({ ...filter, before: null, ...other }));

  return (
    <>
      <header className="ksi-head">
        <p>
          Small changes to prompt files: measured, approved by a person, applied as one commit, watched, then kept or
          taken back.
        </p>
        <div className="ksi-filters">
          <Choice
            label="Profile"
            all="all profiles"
            value={profile}
            options={offered(known.value?.map((one) => one.profile) ?? [], profile)}
            choose={(value) => show({ profile: value })}
          />
          <Choice
            label="State"
            all="all states"
            value={state}
            options={STATES}
            choose={(value) => show({ state: value })}
          />
        </div>
      </header>
      <Warnings health={house.value} />
      <Problem text={page.error ?? house.error ?? house.value?.error ?? null} />
      {page.value === null && page.error === null && <Loading />}
      {page.value !== null && rows.length === 0 && <Nothing filtered={Boolean(profile || state || before)} />}
      {rows.length > 0 && (
        <div className="ksi-scroll">
          <table className="ksi-table ksi-list">
            <thead>
              <tr>
                <th>#</th>
                <th>Profile</th>
                <th>File</th>
                <th>State</th>
                <th>Evaluation</th>
                <th>Created</th>
                <th>Why</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.id} row={row} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div className="ksi-actions">
        {before !== null && (
          <button type="button" className="ksi-go" onClick={() => show({})}>
            Newest
          </button>
        )}
        {next !== null && (
          <button type="button" className="ksi-go" onClick={() => show({ before: next })}>
            Older
          </button>
        )}
      </div>
    </>
  );
}
