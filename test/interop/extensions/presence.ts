import type { Server } from '../servers/server.js';

export async function presenceExtensions(_server: Server): Promise<void> {}
