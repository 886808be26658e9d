/** Answers selected by name in a test. */
export const ANSWERS: Record<string, string> = {
  fail: `A service should fail **early, loudly and in one place**:

1. Refuse what it cannot do before it begins.
2. Say what was wrong, and what to change.
3. Keep what was already done.

A caller can then tell a mistake of its own from one of yours, and needs no retry that could never help.
`,
  code: `Ask for a **stream** and print the pieces as they come:

\`\`\`python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="-")
stream = client.chat.completions.create(
    model="fast",
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="")
\`\`\`

Any name that the model list shows will do.
`,
  rich: `# Plan for a **small** service

Here is what it needs, with a [link](https://example.com/guide), \`inline code\` and a note[^1].

## Steps

1. Read the file
2. Parse it
   - quickly
   - *safely*
3. Serve it

- [x] written
- [ ] deployed

| Model | Speed | Price |
| --- | ---: | :---: |
| fast-1 | 274 | 0.15 |
| smart, "1" | 81 | 2.50 |

\`\`\`python
import os

def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}! {os.getpid()} and a line that is much too long to fit into the column that it is shown in"
\`\`\`

> Keep it simple.

The area is $\\pi r^2$ and the whole is

$$
\\int_0^1 x^2\\,dx = \\frac{1}{3}
$$

![A chart](https://images.example.net/chart.png?secret=1)

[^1]: Nothing is ever as small as it looks.
`,
};

/** Scenarios of plain questions, for screenshots without markers. */
export const SCRIPT: Record<string, string> = {
  'What would a small service need?': 'say rich',
  'How should a service fail?': 'fast fail',
  'How do I stream an answer in Python?': 'say code',
  'Is anybody there?': 'status 429 30',
};
