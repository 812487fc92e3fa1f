// Whatever a call throws, as a sentence for a person and the code it bears.
export interface Failure {
  text: string;
  code: string;
}

const HOST_SAYS: Record<string, string> = {
  "401": "The server does not know this browser any more. Reload the page.",
  "404":
    "The server has no such route: the plugin may be switched off. Switch it on: hermes plugins enable karpathy-self-improve",
};

// fetchJSON throws Error("<status>: <body>"); our bodies are {"error": "<what happened and what to do>", "code"}.
export function failureOf(thrown: unknown): Failure {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const parts = /^(\d{3}): (.*)$/s.exec(message);
  if (!parts) return { text: unreached(thrown, message), code: "unreached" };
  const [, status = "", body = ""] = parts;
  const said = ours(body);
  if (said) return said;
  return { text: HOST_SAYS[status] ?? `The server answered ${status}: ${body.slice(0, 300)}`, code: status };
}

function ours(body: string): Failure | null {
  try {
    const parsed: unknown = JSON.parse(body);
    if (!parsed || typeof parsed !== "object" || !("error" in parsed)) return null;
    return { text: onThisPage(String(parsed.error)), code: "code" in parsed ? String(parsed.code) : "" };
  } catch {
    return null; // the host's own words, or a proxy's
  }
}

// What a terminal does by a flag, this page does by a button.
const BUTTONS: [string, string][] = [
  ["give a reason with --override", 'choose "Approve all the same" and give a reason'],
  ["write over it with --force", 'choose "Revert over the edit"'],
  ["needs a reason (--reason)", "needs a reason"],
];

function onThisPage(text: string): string {
  return BUTTONS.reduce((said, [flag, button]) => said.replace(flag, button), text);
}

// Browsers throw a TypeError when nothing answered at all.
function unreached(thrown: unknown, message: string): string {
  if (thrown instanceof TypeError) return "The server does not answer. Is it running? This page goes on trying.";
  return message;
}
