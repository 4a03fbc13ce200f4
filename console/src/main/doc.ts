import '../shared/tokens.css';
import '../knowledge/public/public.css';
import { setLanguage, language } from '../shared/language';
import { start } from '../knowledge/public/doc';

setLanguage(language());
void start();
