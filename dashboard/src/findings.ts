// The shapes of what an evaluation found: single runs, the report, and what a reviewer is shown with it.
import type { Experiment } from "./shapes";

// One run of one scenario; the last three are JSON in strings.
export interface Result {
  id: number;
  eval_run_id: number;
  scenario_id: number;
  arm: string;
  repeat: number;
  pass_fail: number | null;
  no_result_reason: string | null;
  judge_model: string | null;
  judge_rationale: string | null;
  check_results: string;
  scenario_snapshot: string;
  transcript: string;
}

export interface ScenarioFound {
  scenario_id: number;
  name: string;
  baseline: number | null;
  candidate: number | null;
  change: string;
}

// One split: `p` convinces at `level` or below; `detectable` is the gain that would have been seen in four of five.
export interface Split {
  scenarios: number;
  wins: number;
  ties: number;
  losses: number;
  without_result: number;
  difference: number | null;
  interval: { low: number; high: number; confidence: number } | null;
  p: number;
  level: number;
  scenarios_needed: number | null;
  detectable: number | null;
}

export interface HeldOutSet {
  version: number;
  scenarios: number;
  confirmations: number;
  planned: number;
  reveals: number;
}

export interface Steadiness {
  flip_rate: number;
  limit: number;
  unsteady: { name: string; rate: number; runs: number }[];
}

export interface NamedFailure {
  name: string;
  kind: string;
  summary: string;
}

export interface ProposerSaid {
  flags: string[];
  hypothesis: string | null;
  expected_effect: string | null;
  answers: NamedFailure[];
  model: string | null;
  cost: number | null;
}

export interface Judge {
  model: string;
  votes: number;
  spoiled: number;
  agreement_with_itself: number | null;
  labels: { labels: number; needed: number; kappa: number | null };
}

export interface Report {
  sha256: string;
  verdict: string;
  baseline_score: number | null;
  candidate_score: number | null;
  effect: number | null;
  scenarios: ScenarioFound[];
  flaky: string[];
  runs: Record<string, number>;
  judge: Judge | null;
  reasons: { words: string }[];
  train: Split | null;
  holdout: (Split & { fresh: boolean }) | null;
  holdout_set: HeldOutSet | null;
  steadiness: Steadiness | null;
  answers: (NamedFailure & { answer: string })[];
  models: Record<string, unknown>;
  seeds: Record<string, unknown>;
  hashes: Record<string, unknown>;
  seconds: Record<string, unknown>;
  isolation: string | null;
  repeats: number | null;
  tokens: number | null;
}

export interface Words {
  change: "same" | "removed" | "added";
  text: string;
}

export interface Invisible {
  side: "base" | "candidate";
  line: number;
  column: number;
  code: string;
  name: string;
}

export interface Review {
  experiment: Experiment;
  proposal: ProposerSaid | null;
  word_diff: Words[];
  invisible_characters: Invisible[];
  drifted: boolean | null;
  report: Report | null;
  runs_without_result: number;
  cost: number | null;
}
