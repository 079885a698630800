import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PhpSite } from './php-fronts.ts';

/** Where Debian's package has its scripts, and what is configuration. */
const SCRIPTS = '/usr/share/dokuwiki';
const CONFIGURATION = '/etc/dokuwiki';

const FOLDERS = [
  'attic',
  'cache',
  'index',
  'locks',
  'log',
  'media',
  'media_attic',
  'media_meta',
  'meta',
  'pages',
  'tmp',
];

const PASSWORD = createHash('md5').update('secret').digest('hex');

/** Debian's DokuWiki, with its configuration and pages beside its scripts, as it comes from its makers. */
export const DOKUWIKI: PhpSite = {
  folder: SCRIPTS,
  root: '',
  index: 'doku.php',
  skip: /\/lang\/(?!en(?:\/|$))/,
  prepare(copy) {
    // Which leads to Debian's places for the rest.
    rmSync(join(copy, 'inc/preload.php'));
    const conf = join(copy, 'conf');
    cpSync(CONFIGURATION, conf, { recursive: true, filter: (path) => !path.endsWith('.auth.php') });
    for (const folder of FOLDERS) mkdirSync(join(copy, 'data', folder), { recursive: true });
    writeFileSync(
      join(conf, 'local.php'),
      `<?php
$conf['title'] = 'Wiki';
$conf['savedir'] = './data';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
// URLs as doku.php/namespace:page.
$conf['userewrite'] = 2;
$conf['dformat'] = 'TIME';
// Files by X-Accel-Redirect.
$conf['xsendfile'] = 3;
// Its cache counts seconds: a link to a page that was made in the same second stays one to none.
$conf['cachetime'] = -1;
`,
    );
    writeFileSync(join(conf, 'users.auth.php'), `admin:${PASSWORD}:Ann:ann@example.org:admin,user\n`);
    writeFileSync(join(conf, 'acl.auth.php'), '*\t@ALL\t1\n*\t@user\t8\n');
    writeFileSync(join(copy, 'data/pages/start.txt'), '====== Start ======\n\nTo [[wiki:notes]].\n');
  },
  pool: ['php_admin_value[extension] = xml.so', 'php_admin_value[date.timezone] = UTC'],
};
