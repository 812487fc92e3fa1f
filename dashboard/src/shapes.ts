// The shapes that our routes answer with: of each, what this page shows.
import type { Result } from "./findings";

export const STATES = ["proposed", "approved", "live", "verified", "reverted", "rejected"] as const;
export type State = (typeof STATES)[number];

export interface Health {
  ok: boolean;
  approval: string | null;
  daemon: { alive: boolean; heartbeat_at: string | null };
  error: string | null;
}

export interface Experiment {
  id: number;
  profile: string;
  target_relpath: string;
  state: State;
  diff: string;
  rationale: string | null;
  proposed_by: string;
  candidate_sha256: string;
  evaluation_status: string;
  offline_score: number | null;
  baseline_score: number | null;
  verdict: string | null;
  live_verdict: string | null;
  live_sessions_observed: number | null;
  live_sessions_target: number | null;
  manual_conflict_detected: number;
  apply_commit_sha: string | null;
  revert_commit_sha: string | null;
  created_at: string;
}

export interface Transition {
  id: number;
  from_state: State | null;
  to_state: State;
  actor: string | null;
  principal: string | null;
  reason: string | null;
  created_at: string;
}

export interface Page {
  experiments: Experiment[];
  next_before: number | null;
}

export interface History {
  transitions: Transition[];
  scenario_results: Result[];
}

export interface Session {
  session_id: string;
  counted: boolean;
  reason: string;
  outcome: string;
  errors: number | null;
  tokens: number | null;
  started_at: string;
  feedback: boolean | null;
}

export interface Live {
  state: State;
  verdict: string;
  badge: string;
  asks: boolean;
  contaminated: string | null;
  explanation: {
    planned: string[];
    evidence: string[];
    left_out: string[];
    serving: string[];
    next: string[];
  };
  sessions: Session[];
}

export interface Reviewer {
  name: string;
  public_key: string;
  since: string;
}

export interface Reviewers {
  approval: string;
  reviewers: Reviewer[];
  fingerprint: string | null;
  pinned: string | null;
  trouble: string | null;
}

export interface Profile {
  profile: string;
  paused: boolean;
  configured: boolean;
  profile_root: string;
  state: string;
  in_flight: number | null;
  live_sessions_target: number;
  proposer_model: string | null;
  judge_model: string | null;
  scenario_counts: { train: number; holdout: number };
  experiment_counts: Record<State, number>;
  latest_baseline_score: number | null;
  last_collection_at: string | null;
  last_proposal_at: string | null;
  last_verification_at: string | null;
  holdout_unlocked_until: string | null;
}

export interface Scenario {
  id: number;
  name: string;
  input: string;
  checks: string;
  holdout: number;
  critical: number;
  source: string;
  not_run: string | null;
}

// A scenario made of a session; `not_run` says why no evaluation runs it.
export interface Remembered {
  scenario_id: number;
  name: string;
  holdout: boolean;
  not_run: string | null;
}

export interface Audit {
  ok: boolean;
  checked: number;
  head: string;
  breaks: { transition_id: number; problem: string }[];
  witnesses: number;
  contents: number;
  unread: string[];
  notes: string[];
}

export interface ToLabel {
  id: number;
  scenario: string;
  asked: string;
  answer: string;
}

export interface Job {
  id: number;
  experiment_id: number;
  kind: string;
  state: string;
  done: number;
  total: number | null;
  error: string | null;
}

export type Purpose = "approve" | "override" | "force" | "revert-verified" | "decide" | "resume" | "reveal-holdout";

// What is to be decided, as POST /reviewers/challenge takes it.
export interface Question {
  purpose: Purpose;
  experiment?: number;
  profile?: string;
  decision?: "keep" | "revert";
  reason?: string;
}

// What a signature lets happen, in `words`; `payload` holds the same as bytes.
export interface Challenge {
  payload: string;
  expires_at: string;
  words: string;
}

// What a decision carries to be signed with the key file on the server's machine: exactly the payload that was shown.
export interface Signature {
  reviewer: string;
  passphrase: string;
  payload: string;
}
