import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from '../adapters/fastcgi/client.ts';
import { PHP_FPM, Program, temporaryFolder } from './program.ts';

export interface PhpFpm {
  socket: string;
  /** Where the scripts lie. */
  root: string;
  program: Program;
}

/**
 * A pool of PHP-FPM's own, on a socket in a temporary folder, with these scripts; stopped after the test.
 *
 * @param pool Lines of its configuration, which come before those that every test has.
 */
export async function startPhpFpm(scripts: Record<string, string>, pool: string[] = []): Promise<PhpFpm> {
  const fpm = await openPhpFpm(scripts, pool);
  onTestFinished(async () => {
    await fpm.program.stop();
  });
  return fpm;
}

/** The same, for whoever stops it. */
export async function openPhpFpm(scripts: Record<string, string>, pool: string[] = []): Promise<PhpFpm> {
  const folder = temporaryFolder();
  const socket = join(folder, 'fpm.sock');
  const root = join(folder, 'www');
  const log = join(folder, 'fpm.log');
  for (const [name, code] of Object.entries(scripts)) {
    const file = join(root, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
  }
  writeFileSync(
    join(folder, 'fpm.conf'),
    `[global]
error_log = ${log}
daemonize = no
[test]
listen = ${socket}
pm = static
pm.max_children = 4
pm.status_path = /status
ping.path = /ping
catch_workers_output = yes
php_admin_value[error_log] =
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
php_admin_value[post_max_size] = 1G
php_admin_value[upload_max_filesize] = 1G
php_admin_value[upload_tmp_dir] = ${folder}
${process.getuid?.() === 0 ? 'user = root\ngroup = root' : ''}
${pool.join('\n')}
`,
  );
  const args = ['-F', '-R', '-n', '-y', join(folder, 'fpm.conf')];
  const program = new Program(PHP_FPM, args, folder);
  const said = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  await eventually(() => {
    if (program.child.exitCode === null && !said().includes('ready to handle connections')) {
      throw new Error('it does not listen yet');
    }
  });
  if (program.child.exitCode !== null) throw new Error(`php-fpm ended:\n${program.output}${said()}`);
  return { socket, root, program };
}
