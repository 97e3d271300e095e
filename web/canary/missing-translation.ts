// Wrong on purpose: a translation without one of the words must not compile.
import { vi, type Words } from '../src/lib/words';

export const incomplete: Words = vi as Omit<typeof vi, 'alerts'>;
