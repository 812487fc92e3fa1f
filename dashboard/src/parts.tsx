// Small pieces both views use. All text reaches the page as React text, never as markup.
import * as React from "react";
import { useConnected } from "./hooks";
import type { Health, State } from "./shapes";
import { utils } from "./sdk";

// Characters that hide, reorder text or look like a plain space: a reviewer must see them. Controls but tab and newline,
// bidi, zero-width, blanks of other widths, variation selectors (but that of emoji), private use, tags.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb]|[\u{1d173}-\u{1d17a}\u{e0000}-\u{10ffff}]/gu;

export function visible(text: string): string {
  return text.replace(INVISIBLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

// Text of others on one line: a long one is cut, for a list.
export function firstLine(text: string | null): string {
  const line = (text ?? "").trim().split("\n", 1)[0] ?? "";
  return visible(line.length > 160 ? `${line.slice(0, 159)}\u2026` : line);
}

export const percent = (share: number | null): string => (share === null ? "\u2014" : `${Math.round(share * 100)} %`);

// A difference of shares, in points with its sign.
export function points(difference: number): string {
  const rounded = Math.round(difference * 100);
  return `${rounded > 0 ? "+" : rounded < 0 ? "\u2212" : "\u00b1"}${Math.abs(rounded)}`;
}

export const many = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;

export function StateBadge({ state }: { state: State }): React.JSX.Element {
  return <span className={`ksi-badge ksi-${state}`}>{state}</span>;
}

export function Ago({ at }: { at: string }): React.JSX.Element {
  return (
    <time dateTime={at} title={at}>
      {utils.isoTimeAgo(at)}
    </time>
  );
}

export function Problem({ text }: { text: string | null }): React.JSX.Element | null {
  return text === null ? null : (
    <p className="ksi-note ksi-problem" role="alert">
      {visible(text)}
    </p>
  );
}

export function Loading(): React.JSX.Element {
  return <p className="ksi-empty">Loading…</p>;
}

export function Facts({ facts }: { facts: [string, string | null][] }): React.JSX.Element | null {
  const known = facts.filter(([, value]) => value !== null);
  if (known.length === 0) return null;
  return (
    <dl className="ksi-facts">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{visible(value ?? "")}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Sentences({ title, all }: { title: string; all: string[] }): React.JSX.Element | null {
  if (all.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul className="ksi-sentences">
        {all.map((one, index) => (
          <li key={index}>{visible(one)}</li>
        ))}
      </ul>
    </>
  );
}

export function Warnings({ health }: { health: Health | null }): React.JSX.Element | null {
  const connected = useConnected();
  if (health === null) return null;
  return (
    <>
      {!connected && (
        <p className="ksi-note ksi-warning" role="status">
          <strong>Not connected.</strong> What happens is asked for every few seconds until the connection is back;
          nothing is lost.
        </p>
      )}
      {health.approval === "unsigned" && (
        <p className="ksi-note ksi-warning" role="status">
          <strong>approval: unsigned.</strong> Decisions on this machine carry no reviewer's signature: whoever can open
          this page can approve.
        </p>
      )}
      {!health.daemon.alive && (
        <p className="ksi-note ksi-warning" role="status">
          <strong>Nobody is watching.</strong> No daemon is alive, so nothing is evaluated, applied or taken back. Start
          one: <code>hermes ratchet daemon</code>
        </p>
      )}
    </>
  );
}

// The host has no error boundary around plugin pages: without this one, a fault here would blank the whole dashboard.
export class Boundary extends React.Component<{ children: React.ReactNode }, { fault: string | null }> {
  state = { fault: null };

  static getDerivedStateFromError(thrown: unknown): { fault: string } {
    return { fault: thrown instanceof Error ? thrown.message : String(thrown) };
  }

  render(): React.ReactNode {
    if (this.state.fault === null) return this.props.children;
    return (
      <Problem text={`This page failed: ${this.state.fault}. Reload it; the experiments themselves are untouched.`} />
    );
  }
}
