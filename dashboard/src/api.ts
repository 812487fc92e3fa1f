// The routes this page calls, the shapes they answer with, and their errors as text for a person.
import { fetchJSON, PLUGIN } from "./sdk";

export const STATES = ["proposed", "approved", "live", "verified", "reverted", "rejected"] as const;
export type State = (typeof STATES)[number];

export interface Health {
  approval: string;
  daemon: { alive: boolean; heartbeat_at: string | null };
}

export interface Experiment {
  id: number;
  profile: string;
  target_relpath: string;
  state: State;
  diff: string;
  rationale: string | null;
  evaluation_status: string;
  offline_score: number | null;
  baseline_score: number | null;
  live_verdict: string | null;
  live_sessions_observed: number | null;
  live_sessions_target: number | null;
  apply_commit_sha: string | null;
  revert_commit_sha: string | null;
  rejection_reason: string | null;
  created_at: string;
}

export interface Transition {
  from_state: State | null;
  to_state: State;
  actor: string | null;
  reason: string | null;
  created_at: string;
}

export interface Page {
  experiments: Experiment[];
  next_before: number | null;
}

export interface History {
  experiment: Experiment;
  transitions: Transition[];
}

export interface Reviewers {
  approval: string;
  reviewers: { name: string; public_key: string }[];
  trouble: string | null;
}

export type Verb = "approve" | "reject" | "apply" | "revert";

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  return (await fetchJSON(`/api/plugins/${PLUGIN}${path}`, init)) as T;
}

export const health = (): Promise<Health> => call("/health");

export const reviewers = (): Promise<Reviewers> => call("/reviewers");

export const history = (id: number): Promise<History> => call(`/experiments/${id}/history`);

export function experiments(profile: string, state: string, before: number | null): Promise<Page> {
  const query = new URLSearchParams({ limit: "100" });
  if (profile) query.set("profile", profile);
  if (state) query.set("state", state);
  if (before !== null) query.set("before", String(before));
  return call(`/experiments?${query}`);
}

export async function act(id: number, verb: Verb, body: Record<string, string>): Promise<void> {
  await call(`/experiments/${id}/${verb}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

// The host's fetchJSON throws Error("<status>: <body>"); our bodies are {"error": "<what happened and what to do>"}.
export function errorText(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const body = message.replace(/^\d{3}: /, "");
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === "object" && "error" in parsed) return String(parsed.error);
  } catch {
    // Not ours: the host's own words, or the network's.
  }
  return message;
}
