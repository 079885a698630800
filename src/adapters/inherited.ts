import { fstatSync, readFileSync } from 'node:fs';

/** What a process was given by whatever started it. */
export interface Inherited {
  /** File descriptors of sockets that listen for a web server. */
  fastcgi: number[];
  /** Those that listen for browsers. */
  http: number[];
  /** Whether it is a CGI program: one request, in the environment and on stdin. */
  cgi: boolean;
}

/** The first one that systemd passes; see sd_listen_fds(3). */
const SD_LISTEN_FDS_START = 3;

let taken = false;

/**
 * Finds out what the process was started as, once: what it was given belongs to whoever asks first.
 *
 * - systemd's socket activation: LISTEN_PID and LISTEN_FDS; a name of LISTEN_FDNAMES with `http` in it is for browsers.
 * - A listening socket as file descriptor 0 (FastCGI specification, section 2.2): spawn-fcgi, mod_fcgid, lighttpd, h2o.
 *   Recognized on Linux only; elsewhere the address `{ fd: 0 }` says so.
 * - A web server's CGI: GATEWAY_INTERFACE and REQUEST_METHOD (RFC 3875, section 4.1).
 */
export function takeInherited(env: NodeJS.ProcessEnv = process.env): Inherited {
  const none: Inherited = { fastcgi: [], http: [], cgi: false };
  if (taken) return none;
  taken = true;
  if (env.LISTEN_PID === String(process.pid)) return fromSystemd(env);
  if (isListening(0)) return { ...none, fastcgi: [0] };
  return { ...none, cgi: env.GATEWAY_INTERFACE?.startsWith('CGI/') === true && env.REQUEST_METHOD !== undefined };
}

function fromSystemd(env: NodeJS.ProcessEnv): Inherited {
  const count = Number(env.LISTEN_FDS) || 0;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  // A child process is not to take them for its own.
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  const inherited: Inherited = { fastcgi: [], http: [], cgi: false };
  for (let i = 0; i < count; i++) {
    const door = names[i]?.includes('http') ? 'http' : 'fastcgi';
    inherited[door].push(SD_LISTEN_FDS_START + i);
  }
  return inherited;
}

/**
 * Whether a file descriptor is a socket that listens. To try and listen on it would close it where it is not, as the
 * stdin of a child process, which is a socket as well.
 */
function isListening(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isSocket()) return false;
    const inode = String(stat.ino);
    // The last ones only if need be: a busy machine has many.
    return TABLES.some(({ name, listening, inodeAt }) =>
      rowsOf(name).some((row) => row[inodeAt] === inode && row[3] === listening),
    );
  } catch {
    return false;
  }
}

/** The kernel's sockets, in proc(5); what says that one listens, `__SO_ACCEPTCON` or `TCP_LISTEN`, in its sources. */
const TABLES = [
  { name: 'unix', listening: '00010000', inodeAt: 6 },
  { name: 'tcp', listening: '0A', inodeAt: 9 },
  { name: 'tcp6', listening: '0A', inodeAt: 9 },
];

function rowsOf(table: string): string[][] {
  const text = readFileSync(`/proc/net/${table}`, 'latin1');
  return text.split('\n').map((row) => row.trim().split(/ +/));
}
