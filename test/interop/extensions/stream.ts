import type { Server } from '../servers/server.js';

export async function streamExtensions(_server: Server): Promise<void> {}
