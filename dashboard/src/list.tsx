// The list: every experiment, newest first, filtered by profile and state.
import * as React from "react";
import { experiments, health, STATES, type Experiment } from "./api";
import { usePolled } from "./hooks";
import { Ago, Problem, StateBadge, visible, Warnings } from "./parts";

const { useCallback, useEffect, useState } = React;

function Choice(props: { label: string; all: string; value: string; options: readonly string[]; choose: (value: string) => void }): React.JSX.Element {
  return (
    <label className="ksi-choice">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.choose(event.target.value)}>
        <option value="">{props.all}</option>
        {props.options.map((option) => <option key={option} value={option}>{visible(option)}</option>)}
      </select>
    </label>
  );
}

function Row({ row }: { row: Experiment }): React.JSX.Element {
  const firstLine = (row.rationale ?? "").split("\n", 1)[0] ?? "";
  return (
    <tr>
      <td><a href={`#/experiments/${row.id}`}>{row.id}</a></td>
      <td>{visible(row.profile)}</td>
      <td className="ksi-mono">{visible(row.target_relpath)}</td>
      <td><StateBadge state={row.state} /></td>
      <td>{row.evaluation_status}</td>
      <td className="ksi-when"><Ago at={row.created_at} /></td>
      <td className="ksi-rationale"><a href={`#/experiments/${row.id}`}>{visible(firstLine) || "\u2014"}</a></td>
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

// A profile's name must stay in the filter after the filter has hidden the others.
function useProfilesSeen(rows: Experiment[] | undefined): string[] {
  const [seen, setSeen] = useState<string[]>([]);
  useEffect(() => {
    if (rows) setSeen((before) => [...new Set([...before, ...rows.map((row) => row.profile)])].sort());
  }, [rows]);
  return seen;
}

export function List(): React.JSX.Element {
  const [profile, setProfile] = useState("");
  const [state, setState] = useState("");
  const [before, setBefore] = useState<number | null>(null);
  const page = usePolled(useCallback(() => experiments(profile, state, before), [profile, state, before]));
  const house = usePolled(health);
  const profiles = useProfilesSeen(page.value?.experiments);
  const rows = page.value?.experiments ?? [];
  const next = page.value?.next_before ?? null;
  const choose = (set: (value: string) => void) => (value: string): void => {
    set(value);
    setBefore(null);
  };

  return (
    <>
      <header className="ksi-head">
        <p>Small changes to prompt files: measured, approved by a person, applied as one commit, watched, then kept or taken back.</p>
        <div className="ksi-filters">
          <Choice label="Profile" all="all profiles" value={profile} options={profiles} choose={choose(setProfile)} />
          <Choice label="State" all="all states" value={state} options={STATES} choose={choose(setState)} />
        </div>
      </header>
      <Warnings health={house.value} />
      <Problem text={page.error ?? house.error} />
      {page.value === null && page.error === null && <p className="ksi-empty">Loading…</p>}
      {page.value !== null && rows.length === 0 && <Nothing filtered={Boolean(profile || state || before)} />}
      {rows.length > 0 && (
        <div className="ksi-scroll">
          <table className="ksi-table">
            <thead>
              <tr><th>#</th><th>Profile</th><th>File</th><th>State</th><th>Evaluation</th><th>Created</th><th>Why</th></tr>
            </thead>
            <tbody>{rows.map((row) => <Row key={row.id} row={row} />)}</tbody>
          </table>
        </div>
      )}
      <div className="ksi-actions">
        {before !== null && <button type="button" className="ksi-go" onClick={() => setBefore(null)}>Newest</button>}
        {next !== null && <button type="button" className="ksi-go" onClick={() => setBefore(next)}>Older</button>}
      </div>
    </>
  );
}
