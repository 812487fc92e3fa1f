// Small pieces both views use. All text reaches the page as React text, never as markup.
import * as React from "react";
import type { Health, State } from "./api";
import { utils } from "./sdk";

// Characters that hide or reorder text: a reviewer must see them. C0 controls but tab and newline, bidi, zero-width, tags.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e01ef}]/gu;

export function visible(text: string): string {
  return text.replace(INVISIBLE, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

export function StateBadge({ state }: { state: State }): React.JSX.Element {
  return <span className={`ksi-badge ksi-${state}`}>{state}</span>;
}

export function Ago({ at }: { at: string }): React.JSX.Element {
  return <time dateTime={at} title={at}>{utils.isoTimeAgo(at)}</time>;
}

export function Problem({ text }: { text: string | null }): React.JSX.Element | null {
  return text === null ? null : <p className="ksi-note ksi-problem" role="alert">{visible(text)}</p>;
}

export function Warnings({ health }: { health: Health | null }): React.JSX.Element | null {
  if (health === null) return null;
  return (
    <>
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

// Only the first two lines name files: a removed rule ("---") begins with dashes too.
function kindOf(line: string, index: number): string {
  if (index < 2) return "file";
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}

export function Diff({ text }: { text: string }): React.JSX.Element {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <pre className="ksi-diff" aria-label="diff">
      {lines.map((line, index) => (
        <div key={index} className={`ksi-line ksi-line-${kindOf(line, index)}`}>{visible(line) || " "}</div>
      ))}
    </pre>
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
    return <Problem text={`This page failed: ${this.state.fault}. Reload it; the experiments themselves are untouched.`} />;
  }
}
