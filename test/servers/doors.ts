import type { App } from './app.ts';
import { caddyVersion, startCaddy } from './caddy.ts';
import { startNginx } from './nginx.ts';
import type { Program } from './program.ts';

/** A way from a client to the app. */
export interface Door {
  name: string;
  /** The web server on the way, if any. */
  server?: 'nginx' | 'caddy';
  /** Whether idle connections to the app are kept. */
  keepAlive?: boolean;
  /** Whether it answers 411 itself to more than 4 KB without a length. */
  needsLength?: boolean;
  /** Whether it ends an answer without a length as if it were whole, where the app has broken it off. */
  endsBroken?: boolean;
  open(app: App): Promise<{ port: number; program?: Program }>;
}

export const direct: Door = {
  name: 'straight over HTTP',
  open: async (app) => ({ port: app.http }),
};

export const nginxDoors: Door[] = [true, false].flatMap((keepAlive) => {
  const kept = keepAlive ? 'kept-alive' : 'new';
  return [
    {
      name: `nginx, ${kept} connections over unix`,
      server: 'nginx' as const,
      keepAlive,
      open: (app: App) => startNginx({ fastcgi: `unix:${app.socket}`, keepAlive }),
    },
    {
      name: `nginx, ${kept} connections over TCP`,
      server: 'nginx' as const,
      keepAlive,
      open: (app: App) => startNginx({ fastcgi: `127.0.0.1:${app.tcp}`, keepAlive }),
    },
  ];
});

const [, major = 0, minor = 0] = /^v(\d+)\.(\d+)/.exec(caddyVersion()) ?? [];
const caddy = {
  server: 'caddy' as const,
  // caddyserver/caddy#5951: before 2.8 it writes a line into its log and no more.
  endsBroken: Number(major) === 2 && Number(minor) < 8,
  // caddyserver/caddy#6661
  needsLength: Number(major) > 2 || Number(minor) >= 9,
};

export const caddyDoors: Door[] = [
  { ...caddy, name: 'Caddy over unix', open: (app) => startCaddy(`unix/${app.socket}`) },
  { ...caddy, name: 'Caddy over TCP', open: (app) => startCaddy(`127.0.0.1:${app.tcp}`) },
];
