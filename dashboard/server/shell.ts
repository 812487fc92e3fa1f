// What the dashboard gives the page, given by the stand-alone server's own page: React's interface, and calls with a token.
import * as React from "preact/compat";
import { render } from "preact/compat";

const KEPT = "karpathy-self-improve.token";
const WRONG = "That was not the token of this server. Nothing of it is kept; look it up and try again.";

function kept(): string {
  return sessionStorage.getItem(KEPT) ?? "";
}

// The printed link ends in #token=...: a fragment, which no server and no log sees. It leaves the address at once.
function takeTokenFromAddress(): void {
  const found = /^#token=([A-Za-z0-9_-]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEPT, found[1] ?? "");
  history.replaceState(null, "", location.pathname);
}

async function authedFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${kept()}`);
  const answer = await fetch(url, { ...init, headers });
  if (answer.status === 401) {
    sessionStorage.removeItem(KEPT);
    askForToken(WRONG);
  }
  return answer;
}

async function fetchJSON(url: string, init?: RequestInit): Promise<unknown> {
  const answer = await authedFetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text);
}

async function buildWsUrl(path: string, params: Record<string, string> = {}): Promise<string> {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ ...params, token: kept() }).toString();
  return url.toString();
}

function isoTimeAgo(iso: string): string {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h ago`;
  return `${Math.floor(seconds / 86400)}d ago`;
}

function askForToken(refusal: string | null = null): void {
  const form = React.createElement(
    "form",
    {
      className: "ksi ksi-empty",
      onSubmit: (event: { preventDefault: () => void; currentTarget: HTMLFormElement }) => {
        event.preventDefault();
        sessionStorage.setItem(KEPT, String(new FormData(event.currentTarget).get("token") ?? "").trim());
        location.reload();
      },
    },
    React.createElement("p", null, "This server asks for its token. It stands in the file the server named when it began."),
    refusal && React.createElement("p", { className: "ksi-note ksi-problem", role: "alert" }, refusal),
    React.createElement("input", { name: "token", type: "password", autoComplete: "off", "aria-label": "token", autoFocus: true }),
    " ",
    React.createElement("button", { type: "submit" }, "Open"),
  );
  show(form);
}

function show(what: React.ReactNode): void {
  const place = document.getElementById("page");
  if (place) render(what, place);
}

takeTokenFromAddress();
Object.assign(window, {
  __HERMES_PLUGIN_SDK__: {
    sdkVersion: "1.1.0",
    React,
    hooks: React,
    fetchJSON,
    authedFetch,
    buildWsUrl,
    utils: { isoTimeAgo, cn: (...names: unknown[]) => names.filter(Boolean).join(" ") },
  },
  __HERMES_PLUGINS__: {
    register: (_name: string, page: React.ComponentType) =>
      kept() ? show(React.createElement(page, null)) : askForToken(),
  },
});
