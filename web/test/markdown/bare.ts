/** Without the attributes of directions and translation, which have tests of their own. */
export const bare = (html: string) => html.replaceAll(/ (?:dir|translate)="\w+"/g, '');
