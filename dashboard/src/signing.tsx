// What a signature lets happen, in the server's words, and below them the passphrase that makes it.
import * as React from "react";
import type { Action } from "./actions";
import { useCountdown } from "./hooks";
import { visible } from "./parts";
import type { Challenge } from "./shapes";

const { useEffect, useRef, useState } = React;

interface Props {
  asked: Challenge;
  action: Action;
  busy: boolean;
  sign: (passphrase: string) => Promise<void>;
  back: () => void;
  cancel: () => void;
}

// The diff stands amid sentences: its two lines that name files are those right above a line of numbers.
function kindOf(line: string, index: number, lines: string[]): string {
  const names = lines.findIndex((one) => one.startsWith("@@ ")) - index;
  if (line.startsWith("@@ ") || names === 1 || names === 2) return "file";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "same";
}

function Words({ text }: { text: string }): React.JSX.Element {
  const place = useRef<HTMLPreElement>(null);
  useEffect(() => place.current?.focus({ preventScroll: true }), []);
  return (
    <pre className="ksi-diff ksi-signed" ref={place} tabIndex={0} aria-label="what is signed">
      {text.split("\n").map((line, index, lines) => (
        <div key={index} className={`ksi-line ksi-line-${kindOf(line, index, lines)}`}>
          {visible(line) || " "}
        </div>
      ))}
    </pre>
  );
}

export function Signing({ asked, action, busy, sign, back, cancel }: Props): React.JSX.Element {
  const [passphrase, setPassphrase] = useState("");
  const left = useCountdown(asked.expires_at);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (passphrase && !busy && left) void sign(passphrase);
        setPassphrase("");
      }}
    >
      <p className="ksi-muted">This is what you sign. Read it; then your passphrase signs exactly that.</p>
      <Words text={asked.words} />
      <div className="ksi-field">
        <label htmlFor="ksi-passphrase">Passphrase</label>
        <input
          id="ksi-passphrase"
          type="password"
          autoComplete="off"
          value={passphrase}
          onChange={(event) => setPassphrase(event.target.value)}
        />
      </div>
      <div className="ksi-actions">
        <button
          className={`ksi-go ksi-tone-${action.tone} ksi-sign`}
          type="submit"
          disabled={busy || !passphrase || !left}
        >
          {busy ? "Signing\u2026" : `Sign: ${action.label}`}
        </button>
        <button className="ksi-go" type="button" disabled={busy} onClick={back}>
          Back
        </button>
        <button className="ksi-go" type="button" disabled={busy} onClick={cancel}>
          Cancel
        </button>
        {!left && (
          <span className="ksi-muted" role="status">
            The ten minutes to sign this are over. Go back and look again.
          </span>
        )}
      </div>
    </form>
  );
}
