// @ts-check
import { serve } from 'fcgi';
import { app } from './app.js';

export default (/** @type {string} */ path) => serve(app, { fastcgi: path });
