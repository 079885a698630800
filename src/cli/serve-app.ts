import { type Address, formatAddress } from '../adapters/address.ts';
import { serve } from '../adapters/serve.ts';
import type { Application } from '../core/app.ts';

/** Serves an app at the addresses that were given, and says where; without any, `serve` says so itself. */
export async function serveApp(app: Application, addresses: { fastcgi?: string; http?: string }): Promise<void> {
  const doors = await serve(app, addresses);
  if (addresses.fastcgi !== undefined) console.log(`Listening on ${formatAddress(doors.fastcgi as Address)}`);
  if (addresses.http !== undefined) console.log(`Listening on http://${formatAddress(doors.http as Address)}`);
}
