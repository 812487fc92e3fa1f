// Hooks for what is signed: who may sign, and the words and bytes that are laid before the one who does.
import { useEffect, useState } from "react";
import type { Action } from "./actions";
import { challenge, reviewers } from "./api";
import { failureOf } from "./failures";
import type { Challenge, Reviewers } from "./shapes";

const NOBODY = "There is no reviewer yet. Make one on a terminal: hermes ratchet reviewer add NAME";

// The reviewers, where a decision is signed; `trouble` says why nobody can sign.
export function useReviewers(needed: boolean): { known: Reviewers | null; trouble: string | null } {
  const [known, setKnown] = useState<Reviewers | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    if (needed) reviewers().then(setKnown, (thrown: unknown) => setError(failureOf(thrown).text));
  }, [needed]);
  const nobody = known && known.reviewers.length === 0 ? NOBODY : null;
  return { known, trouble: error ?? known?.trouble ?? nobody };
}

export interface Laid {
  asked: Challenge | null;
  asking: boolean;
  error: string | null;
  lay: (reason: string, signer: string) => Promise<void>;
  takeAway: () => void;
}

// What is to be signed for `action`, once somebody has asked for it.
export function useWords(action: Action): Laid {
  const [asked, setAsked] = useState<Challenge | null>(null);
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<string | null>(null);

  async function lay(reason: string, signer: string): Promise<void> {
    if (!action.signed) return;
    setAsking(true);
    setError(null);
    try {
      const found = await challenge({ ...action.signed, ...(action.why && { reason }) }, signer);
      checkSeen(found, action.candidate);
      setAsked(found);
    } catch (thrown) {
      setError(failureOf(thrown).text);
    }
    setAsking(false);
  }

  return { asked, asking, error, lay, takeAway: () => setAsked(null) };
}

// Throws when what is to be signed is about another candidate than the one on this page.
function checkSeen(asked: Challenge, candidate: string | undefined): void {
  const { candidate_sha256: signed } = JSON.parse(asked.payload) as { candidate_sha256: string | null };
  if (!candidate || signed === candidate) return;
  throw new Error("What would be signed is not the change shown here. Reload the page and look again.");
}
