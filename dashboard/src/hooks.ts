// Hooks: a value kept fresh by events and, without them, by asking; whether events arrive; a clock.
import { useCallback, useEffect, useRef, useState } from "react";
import { failureOf } from "./failures";
import { isHeard, listen, watchConnection, type Happening } from "./tail";

const DEAF_MS = 5_000;
const HEARING_MS = 60_000;
const TOGETHER_MS = 300;

export interface Fresh<T> {
  value: T | null;
  error: string | null;
  refresh: () => void;
}

const ANY = (): boolean => true;

// `load` and `concerns` must keep their identity as long as they ask for the same thing; a new `load` starts afresh.
export function useFresh<T>(
  load: () => Promise<T>,
  concerns: (happening: Happening) => boolean = ANY,
  everyMs = HEARING_MS,
): Fresh<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<string | null>(null);
  const newest = useRef(0);

  const refresh = useCallback(() => {
    const mine = ++newest.current;
    load().then(
      (found) => {
        if (mine !== newest.current) return;
        setValue(found);
        setError(null);
      },
      (thrown: unknown) => {
        if (mine === newest.current) setError(failureOf(thrown).text);
      },
    );
  }, [load]);

  useEffect(() => {
    setValue(null);
    setError(null);
    refresh();
    return () => void newest.current++;
  }, [refresh]);

  useEffect(() => {
    let soon = 0;
    let last = Date.now();
    const now = (): void => {
      soon = 0;
      last = Date.now();
      refresh();
    };
    const stop = listen((happened) => {
      if (soon === 0 && (happened === null || happened.some(concerns))) soon = window.setTimeout(now, TOGETHER_MS);
    });
    const timer = setInterval(() => {
      if (!document.hidden && Date.now() - last >= (isHeard() ? everyMs : DEAF_MS)) now();
    }, 1_000);
    return () => {
      stop();
      clearTimeout(soon);
      clearInterval(timer);
    };
  }, [refresh, concerns, everyMs]);

  return { value, error, refresh };
}

// Whether events arrive. Just after the page opened nobody knows yet, which is no reason to worry anybody.
export function useConnected(): boolean {
  const [connected, setConnected] = useState(true);
  useEffect(() => watchConnection(() => setConnected(isHeard())), []);
  return connected;
}

// Escape closes the form at `place`, wherever the focus is, unless that is in another form.
export function useEscape(place: { current: Element | null }, close: () => void): void {
  useEffect(() => {
    const heard = (event: KeyboardEvent): void => {
      const form = event.target instanceof Element ? event.target.closest(".ksi-ask") : null;
      if (event.key === "Escape" && !event.isComposing && (form === null || form === place.current)) close();
    };
    document.addEventListener("keydown", heard);
    return () => document.removeEventListener("keydown", heard);
  }, [place, close]);
}

// Seconds until `at`, counted down; 0 from then on.
export function useCountdown(at: string | null): number {
  const left = (): number => (at === null ? 0 : Math.max(0, Math.ceil((Date.parse(at) - Date.now()) / 1_000)));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    const timer = setInterval(() => setSeconds(left()), 1_000);
    return () => clearInterval(timer);
  }, [at]);
  return seconds;
}
