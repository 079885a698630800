import { type Application, createApp as createCoreApp } from '../core/app.ts';
import type { Settings } from '../core/settings.ts';
import { makersFor, openDoors, planFor, usualPlan } from './serve.ts';

/**
 * Makes an application, with Express's defaults for the settings that are not given. Its `listen` without an address does
 * what `serve` does without one, and gives the server of the first door.
 */
export function createApp(settings?: Settings): Application {
  const app = createCoreApp(settings);
  const { listen } = app;
  app.listen = ((...args: unknown[]) => {
    const [first] = args;
    if (first !== undefined && typeof first !== 'function') return listen.apply(app, args as [number]);
    const { servers, opened } = openDoors(makersFor(app, {}), planFor({}, usualPlan()), {});
    const [server] = servers;
    const callback = args.find((argument) => typeof argument === 'function') as ((error?: Error) => void) | undefined;
    opened.then(
      () => callback?.call(server),
      (error) => (callback ? callback.call(server, error) : server!.emit('error', error)),
    );
    return server;
  }) as Application['listen'];
  return app;
}
