// Two hooks: a value kept fresh by polling, and the experiment named in the address.
import { useCallback, useEffect, useRef, useState } from "react";
import { errorText } from "./api";

const EVERY_MS = 5000;

export interface Polled<T> {
  value: T | null;
  error: string | null;
  refresh: () => void;
}

// `load` must keep its identity (useCallback) as long as it asks for the same thing; a new one starts afresh.
export function usePolled<T>(load: () => Promise<T>): Polled<T> {
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
        if (mine === newest.current) setError(errorText(thrown));
      },
    );
  }, [load]);

  useEffect(() => {
    setValue(null);
    setError(null);
    refresh();
    const timer = setInterval(() => {
      if (!document.hidden) refresh();
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
      newest.current++;
    };
  }, [refresh]);

  return { value, error, refresh };
}

function idInAddress(): number | null {
  const found = /^#\/experiments\/([1-9]\d*)$/.exec(window.location.hash);
  return found ? Number(found[1]) : null;
}

export function useExperimentInAddress(): number | null {
  const [id, setId] = useState(idInAddress);
  useEffect(() => {
    const update = (): void => setId(idInAddress());
    window.addEventListener("hashchange", update);
    return () => window.removeEventListener("hashchange", update);
  }, []);
  return id;
}
