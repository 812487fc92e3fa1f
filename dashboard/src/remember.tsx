// A session that went wrong becomes a scenario, with a note of what was wrong.
import * as React from "react";
import { toProfile } from "./address";
import { remember } from "./api";
import { Ask } from "./ask";
import { failureOf, type Failure } from "./failures";
import { Problem, visible } from "./parts";
import type { Remembered } from "./shapes";

const { useState } = React;

interface Props {
  profile: string;
  session: string;
  made: (found: Remembered) => void;
  cancel: () => void;
}

export function Remember({ profile, session, made, cancel }: Props): React.JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  async function answer(note: string): Promise<Failure | null> {
    setBusy(true);
    setError(null);
    try {
      made(await remember(profile, session, note));
      return null;
    } catch (thrown) {
      const failure = failureOf(thrown);
      setError(failure.text);
      setBusy(false);
      return failure;
    }
  }

  const action = {
    name: "remember",
    label: "Remember this session",
    tone: "plain",
    why: "What was wrong with the answer? (may stay empty)",
    optional: true,
    send: answer,
  } as const;
  return (
    <>
      <Ask action={action} busy={busy} answer={answer} cancel={cancel} />
      <Problem text={error} />
    </>
  );
}

export function Kept({ profile, found }: { profile: string; found: Remembered }): React.JSX.Element {
  return (
    <p className="ksi-note ksi-fine" role="status">
      What was asked last in that session is scenario {found.scenario_id} ({visible(found.name)}) of{" "}
      <a href={toProfile(profile)}>profile {visible(profile)}</a>.{" "}
      {found.holdout && "It is held out: its text is not shown any more. "}
      {found.not_run !== null && (
        <>
          No evaluation runs it yet: {visible(found.not_run)}. On a terminal:{" "}
          <code>hermes ratchet scenario edit {found.scenario_id} --help</code>
        </>
      )}
    </p>
  );
}
