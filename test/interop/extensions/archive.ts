import type { Server } from '../servers/server.js';

export async function archiveExtensions(_server: Server): Promise<void> {}
