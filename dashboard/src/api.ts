// The routes this page calls.
import { fetchJSON, ROUTES } from "./sdk";
import type { Review } from "./findings";
import type {
  Audit,
  Challenge,
  Health,
  History,
  Job,
  Live,
  Page,
  Profile,
  Question,
  Remembered,
  Reviewers,
  Scenario,
  Signature,
  ToLabel,
} from "./shapes";

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  return (await fetchJSON(`${ROUTES}${path}`, init)) as T;
}

function post<T>(path: string, body: object): Promise<T> {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export const PAGE = 50;

export const health = (): Promise<Health> => call("/health");

export function experiments(profile: string, state: string, before: number | null): Promise<Page> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (profile) query.set("profile", profile);
  if (state) query.set("state", state);
  if (before !== null) query.set("before", String(before));
  return call(`/experiments?${query}`);
}

export const review = (id: number): Promise<Review> => call(`/experiments/${id}/report`);
export const history = (id: number): Promise<History> => call(`/experiments/${id}/history`);
export const live = (id: number): Promise<Live> => call(`/experiments/${id}/live`);
export const runningJobs = async (): Promise<Job[]> =>
  (await call<{ jobs: Job[] }>("/jobs?state=running&limit=20")).jobs;

export type Decision = "approve" | "reject" | "apply" | "revert" | "decide" | "evaluate" | "again";

export const act = (id: number, decision: Decision, body: object): Promise<object> =>
  post(`/experiments/${id}/${decision}`, body);

export async function proposeAgain(id: number): Promise<number> {
  return (await post<{ experiment_id: number }>(`/experiments/${id}/again`, {})).experiment_id;
}

export const profiles = async (): Promise<Profile[]> => (await call<{ profiles: Profile[] }>("/profiles")).profiles;

export async function scenarios(profile: string): Promise<Scenario[]> {
  const query = new URLSearchParams({ profile, include_holdout: "true" });
  return (await call<{ scenarios: Scenario[] }>(`/scenarios?${query}`)).scenarios;
}

export const pause = (profile: string, reason: string): Promise<object> =>
  post(`/profiles/${encodeURIComponent(profile)}/pause`, { reason });

export const resume = (profile: string, signed: Signature | null): Promise<object> =>
  post(`/profiles/${encodeURIComponent(profile)}/resume`, { ...signed });

// Answers what became of it, as a sentence.
export async function askProposer(profile: string): Promise<string> {
  const answer = await post<{ job_id: number } | { skipped: true; reason: string }>("/propose", { profile });
  return "skipped" in answer
    ? `No change is looked for now, because ${answer.reason}.`
    : `Job ${answer.job_id} looks for a change. It shows in the list once there is one.`;
}

export const unlock = (profile: string, signed: Signature | null): Promise<object> =>
  post("/reviewers/unlock", { profile, ...signed });

export const reviewers = (): Promise<Reviewers> => call("/reviewers");
export const challenge = (question: Question, signer: string): Promise<Challenge> =>
  post("/reviewers/challenge", { ...question, signer });
export const verifyAudit = (): Promise<Audit> => call("/audit/verify");

export const sayOfSession = (profile: string, session: string, good: boolean): Promise<object> =>
  post("/feedback", { profile, session_id: session, good });

export const remember = (profile: string, session: string, note: string): Promise<Remembered> =>
  post("/scenarios/from-session", { profile, session_id: session, ...(note && { note }) });

export const unlabelled = (id: number): Promise<{ results: ToLabel[]; left: number }> =>
  call(`/experiments/${id}/unlabelled?limit=1`);

export const label = (result: number, passed: boolean, note: string): Promise<object> =>
  post(`/results/${result}/labels`, { passed, ...(note && { note }) });
