import type { Server } from '../servers/server.js';

export async function loginExtensions(_server: Server): Promise<void> {}
