import type { Application } from '../../../src/core/app.ts';
import type { TestRequest } from '../doors.ts';

/** What somebody tries, and what comes of it. */
export interface HostileRow {
  /** What is tried; no two rows mean the same. */
  attack: string;
  /** POST if there is a body, unless told. */
  request: TestRequest & { path: string };
  /** As `answerOf` tells it: `'400 FCGI_ERR_BODY_SYNTAX'`; a status alone says nothing of the body. */
  answer: string;
}

/** A section of docs/hostile-inputs.md. */
export interface HostileSubject {
  title: string;
  /** Stands above the section's table. */
  about: string;
  /** Mounts what is attacked. The folder is an empty one of its own, removed afterwards. */
  mount(app: Application, folder: string): void | Promise<void>;
  rows: HostileRow[];
}
