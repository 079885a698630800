// @ts-check
import { over } from './fastcgi-client.js';

export default over(true);
