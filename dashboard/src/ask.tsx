// The form of one decision: its reason; then, where it is signed, what is signed in words, and the passphrase.
import * as React from "react";
import type { Action } from "./actions";
import type { Failure } from "./failures";
import { useEscape } from "./hooks";
import { Loading, Problem, visible } from "./parts";
import type { Reviewers, Signature } from "./shapes";
import { Signing } from "./signing";
import { useReviewers, useWords } from "./words";

const { useCallback, useEffect, useId, useRef, useState } = React;

// After these the same bytes can be signed once more; after any other refusal they have to be looked at again.
const SAME_AGAIN = ["wrong_passphrase", "too_many_attempts", "key_unusable", "unreached"];

interface Props {
  action: Action;
  busy: boolean;
  answer: (reason: string, signature: Signature | null) => Promise<Failure | null>;
  cancel: () => void;
}

interface Field {
  value: string;
  set: (value: string) => void;
  locked: boolean;
}

function Reason({ question, value, set, locked }: Field & { question: string }): React.JSX.Element {
  const id = useId();
  return (
    <div className="ksi-field">
      <label htmlFor={id}>{question}</label>
      <textarea
        id={id}
        className="ksi-reason"
        rows={2}
        maxLength={1_000}
        readOnly={locked}
        value={value}
        onChange={(event) => set(event.target.value)}
      />
    </div>
  );
}

function Signer({ known, value, set, locked }: Field & { known: Reviewers }): React.JSX.Element {
  return (
    <div className="ksi-field">
      <label htmlFor="ksi-signer">Signed by</label>
      <select id="ksi-signer" value={value} disabled={locked} onChange={(event) => set(event.target.value)}>
        {known.reviewers.map((one) => (
          <option key={one.public_key} value={one.public_key}>
            {visible(one.name)}
          </option>
        ))}
      </select>
    </div>
  );
}

function Begin(props: { action: Action; ready: boolean; busy: boolean; cancel: () => void }): React.JSX.Element {
  const { action } = props;
  return (
    <div className="ksi-actions">
      <button className={`ksi-go ksi-tone-${action.tone}`} type="submit" disabled={!props.ready}>
        {action.signed ? "Show what is signed" : action.label}
      </button>
      <button className="ksi-go" type="button" disabled={props.busy} onClick={props.cancel}>
        Cancel
      </button>
    </div>
  );
}

export function Ask({ action, busy, answer, cancel }: Props): React.JSX.Element {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const { known, trouble } = useReviewers(action.signed !== undefined);
  const { asked, asking, error, lay, takeAway } = useWords(action);
  const reason = text.trim();
  const signer = chosen ?? known?.reviewers[0]?.public_key ?? "";
  const told = !action.why || action.optional || reason !== "";
  const ready = told && (!action.signed || (signer !== "" && !trouble)) && !busy && !asking;
  const locked = asked !== null;
  const waiting = action.signed !== undefined && !known && !trouble;
  const place = useRef<HTMLDivElement>(null);
  useEscape(
    place,
    useCallback(() => {
      if (!busy) cancel();
    }, [busy, cancel]),
  );
  // The button that opened this form is gone, and the focus with it.
  useEffect(() => {
    if (!waiting && !locked) place.current?.querySelector<HTMLElement>("textarea, select, button:enabled")?.focus();
  }, [waiting, locked]);

  async function sign(passphrase: string): Promise<void> {
    if (!asked) return;
    const reviewer = known?.reviewers.find((one) => one.public_key === signer)?.name ?? "";
    const failure = await answer(reason, { reviewer, passphrase, payload: asked.payload });
    if (failure && !SAME_AGAIN.includes(failure.code)) takeAway();
  }

  function begin(event: React.FormEvent): void {
    event.preventDefault();
    if (ready && !locked) void (action.signed ? lay(reason, signer) : answer(reason, null));
  }

  if (waiting) return <Loading />;
  return (
    <div className="ksi-ask" role="group" aria-label={action.label} ref={place}>
      <Problem text={trouble ?? error} />
      <form onSubmit={begin}>
        {action.why && <Reason question={action.why} value={text} set={setText} locked={locked} />}
        {known && !trouble && <Signer known={known} value={signer} set={setChosen} locked={locked} />}
        {!asked && <Begin action={action} ready={ready} busy={busy} cancel={cancel} />}
      </form>
      {asked && <Signing asked={asked} action={action} busy={busy} sign={sign} back={takeAway} cancel={cancel} />}
    </div>
  );
}
