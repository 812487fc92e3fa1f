// Buttons for what a person can do here; one that needs a reason or a signature opens a form first.
import * as React from "react";
import { Ask } from "./ask";
import { failureOf, type Failure } from "./failures";
import { Problem, visible } from "./parts";
import type { Question, Signature } from "./shapes";

const { useCallback, useEffect, useRef, useState } = React;

export type Tone = "good" | "bad" | "plain";

export interface Action {
  name: string;
  label: string;
  tone: Tone;
  // What the reason answers; without it none is asked for.
  why?: string;
  optional?: boolean; // that reason may stay empty
  // What is signed; `reason` is added. Without it nothing is.
  signed?: Question;
  // The candidate that the page shows: something else is not signed.
  candidate?: string;
  // What it resolves to is said to the person, where it is a sentence.
  send: (reason: string, signature: Signature | null) => Promise<unknown>;
}

interface Props {
  actions: Action[];
  done: () => void;
  failed?: (failure: Failure) => void;
}

// Once a form is closed, the focus is again on the button that opened it, where that is still there.
function useWayBack(open: string | null): React.RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (open === null && last.current) place.current?.querySelector<HTMLElement>(`.ksi-go-${last.current}`)?.focus();
    last.current = open;
  }, [open]);
  return place;
}

export function Actions({ actions, done, failed }: Props): React.JSX.Element | null {
  const [name, setName] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [notice, setNotice] = useState<string | null>(null);
  const chosen = actions.find((one) => one.name === name);
  const place = useWayBack(name);

  async function carryOut(action: Action, reason: string, signature: Signature | null): Promise<Failure | null> {
    setBusy(true);
    setError(null);
    try {
      const said = await action.send(reason, signature);
      setNotice(typeof said === "string" ? said : null);
      setName(null);
      return null;
    } catch (thrown) {
      const failure = failureOf(thrown);
      setError(failure.text);
      failed?.(failure);
      return failure;
    } finally {
      setBusy(false);
      done();
    }
  }

  const cancel = useCallback(() => {
    setError(null);
    setName(null);
  }, []);

  function choose(action: Action): void {
    setError(null);
    setNotice(null);
    if (action.why || action.signed) setName(action.name);
    else void carryOut(action, "", null);
  }

  if (actions.length === 0 && error === null) return null;
  return (
    <div className="ksi-deciding" aria-busy={busy} ref={place}>
      {chosen ? (
        <Ask
          key={chosen.name}
          action={chosen}
          busy={busy}
          answer={(reason, signature) => carryOut(chosen, reason, signature)}
          cancel={cancel}
        />
      ) : (
        <div className="ksi-actions">
          {actions.map((one) => (
            <button
              key={one.name}
              type="button"
              className={`ksi-go ksi-tone-${one.tone} ksi-go-${one.name}`}
              disabled={busy}
              onClick={() => choose(one)}
            >
              {one.label}
            </button>
          ))}
        </div>
      )}
      <Problem text={error} />
      {notice && (
        <p className="ksi-note" role="status">
          {visible(notice)}
        </p>
      )}
    </div>
  );
}
