#!/usr/bin/env node
import { FcgiError } from '../core/errors.ts';
import { cgi } from './cgi.ts';
import { config } from './config.ts';
import { gateway } from './gateway.ts';
import { pages } from './pages.ts';
import { request } from './request.ts';

/** The `fcgi` command: each subcommand is a file beside this one. */
const COMMANDS: Record<string, { run(args: string[]): unknown; usage: string }> = {
  config,
  cgi,
  pages,
  request,
  gateway,
};

function usage(): string {
  return Object.values(COMMANDS)
    .map((command) => command.usage)
    .join('\n');
}

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
try {
  if (command) await command.run(args);
  else if (name === '' || name === 'help' || name === '--help') console.log(usage());
  else fail(`fcgi: there is no command '${name}'\n\n${usage()}`);
} catch (error) {
  // Of what the person at the shell can mend, the message says it all; of a bug, the stack does.
  if (error instanceof FcgiError) fail(`fcgi ${name}: ${error.message}`);
  else if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) {
    fail(`fcgi ${name}: ${(error as Error).message}\n\n${command?.usage}`);
  } else throw error;
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 2;
}
