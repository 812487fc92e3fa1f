// Listens on the socket of events, for as long as anybody wants to hear; after a break it goes on where it was.
import { buildWsUrl, ROUTES } from "./sdk";

export interface Happening {
  id: number;
  kind: string;
  profile: string | null;
  experiment_id: number | null;
}

// `null`: the first word on a new socket. Before that, anything may have happened.
export type Listener = (happened: Happening[] | null) => void;

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

let listeners: Listener[] = [];
let watchers: (() => void)[] = [];
let socket: WebSocket | null = null;
let cursor: number | null = null;
let wait = FIRST_WAIT_MS;
let timer = 0;
let heard = false;

export const isHeard = (): boolean => heard;

export function listen(listener: Listener): () => void {
  listeners = [...listeners, listener];
  if (listeners.length === 1) void open();
  return () => {
    listeners = listeners.filter((one) => one !== listener);
    if (listeners.length === 0) close();
  };
}

// Calls `watcher` whenever the connection is lost or there again.
export function watchConnection(watcher: () => void): () => void {
  watchers = [...watchers, watcher];
  return () => {
    watchers = watchers.filter((one) => one !== watcher);
  };
}

function setHeard(value: boolean): void {
  if (heard === value) return;
  heard = value;
  for (const watcher of watchers) watcher();
}

async function open(): Promise<void> {
  let url: string;
  try {
    url = await buildWsUrl(`${ROUTES}/events`, cursor === null ? {} : { since: String(cursor) });
  } catch {
    return later();
  }
  if (listeners.length === 0 || socket) return;
  const mine = new WebSocket(url);
  socket = mine;
  mine.onmessage = (message) => {
    if (mine === socket) take(String(message.data));
  };
  mine.onclose = () => {
    if (mine !== socket) return;
    socket = null;
    setHeard(false);
    if (listeners.length > 0) later();
  };
}

function take(text: string): void {
  const batch = JSON.parse(text) as { events?: Happening[]; cursor?: number };
  if (batch.events === undefined || batch.cursor === undefined) return; // an error; the socket closes next
  const first = cursor === null;
  cursor = batch.cursor;
  wait = FIRST_WAIT_MS;
  setHeard(true);
  for (const listener of listeners) listener(first ? null : batch.events);
}

function later(): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    if (listeners.length > 0 && !socket) void open();
  }, wait);
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
}

function close(): void {
  clearTimeout(timer);
  const mine = socket;
  socket = null;
  cursor = null;
  heard = false;
  mine?.close();
}
