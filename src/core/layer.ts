import { compilePath, type Match, type Matcher, type Path, type PathOptions } from './path.ts';
import type { Route } from './route.ts';
import { Step } from './step.ts';
import type { ErrorHandler, Handler } from './types.ts';

/** One entry of a router: a handler mounted on a path, or a route. */
export class Layer extends Step {
  readonly path: Path;
  readonly options: PathOptions;
  readonly route: Route | undefined;
  private readonly matcher: Matcher;

  constructor(path: Path, options: PathOptions, handle: Handler | ErrorHandler, route?: Route) {
    super(handle);
    this.path = path;
    this.options = options;
    this.route = route;
    this.matcher = compilePath(path, options);
  }

  match(path: string): Match | undefined {
    return this.matcher(path);
  }
}
