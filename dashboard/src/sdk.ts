// What this page uses of the host's plugin SDK (1.1.0).
import type * as React from "react";

interface Sdk {
  React: typeof React;
  fetchJSON: (url: string, init?: RequestInit) => Promise<unknown>;
  buildWsUrl: (path: string, params?: Record<string, string>) => Promise<string>;
  utils: { isoTimeAgo: (iso: string) => string };
}

declare global {
  interface Window {
    __HERMES_PLUGIN_SDK__: Sdk;
    __HERMES_PLUGINS__: { register: (name: string, page: React.ComponentType) => void };
  }
  const module: { exports: unknown };
}

export const PLUGIN = "karpathy-self-improve";
export const ROUTES = `/api/plugins/${PLUGIN}`;
export const { buildWsUrl, fetchJSON, utils } = window.__HERMES_PLUGIN_SDK__;
