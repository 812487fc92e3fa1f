// Which view the address names: #/?state=live, #/experiments/7, #/experiments/7/label, #/profiles, #/profiles/NAME, #/trust.
import { useEffect, useState } from "react";

// What the list shows: of one profile, in one state, only those older than a number; each may be all.
export interface Filter {
  profile: string;
  state: string;
  before: number | null;
}

export type Place =
  | { view: "list"; filter: Filter }
  | { view: "experiment"; id: number }
  | { view: "label"; id: number }
  | { view: "profiles" }
  | { view: "profile"; name: string }
  | { view: "trust" };

export function toList(filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.profile) query.set("profile", filter.profile);
  if (filter.state) query.set("state", filter.state);
  if (filter.before !== null) query.set("before", String(filter.before));
  return `#/?${query}`;
}

export const toExperiment = (id: number): string => `#/experiments/${id}`;
export const toLabels = (id: number): string => `#/experiments/${id}/label`;
export const toProfile = (name: string): string => `#/profiles/${encodeURIComponent(name)}`;

export function placeIn(hash: string): Place {
  const experiment = /^#\/experiments\/([1-9]\d{0,15})(\/label)?$/.exec(hash);
  if (experiment) return { view: experiment[2] ? "label" : "experiment", id: Number(experiment[1]) };
  const profile = /^#\/profiles\/([^/]+)$/.exec(hash);
  if (profile) return { view: "profile", name: decoded(profile[1] ?? "") };
  if (hash === "#/profiles") return { view: "profiles" };
  return hash === "#/trust" ? { view: "trust" } : { view: "list", filter: filterIn(hash) };
}

function filterIn(hash: string): Filter {
  const query = new URLSearchParams(hash.startsWith("#/?") ? hash.slice(3) : "");
  const before = /^[1-9]\d{0,15}$/.exec(query.get("before") ?? "");
  return { profile: query.get("profile") ?? "", state: query.get("state") ?? "", before: before && Number(before[0]) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign
  }
}

export function usePlace(): Place {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const update = (): void => setHash(window.location.hash);
    window.addEventListener("hashchange", update);
    return () => window.removeEventListener("hashchange", update);
  }, []);
  return placeIn(hash);
}
