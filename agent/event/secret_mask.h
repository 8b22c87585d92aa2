#pragma once

#include <string>
#include <vector>

namespace cordon::agent {

inline constexpr char kMasked[] = "***";

// Replaces what looks like a secret in a command line by "***" (design §6: before disk). Pure; no regular
// expressions, one pass over each argument. Names are compared without case, "-" and "_" being the same.
// Masked are
//   - the value of an option or variable whose name says secret (password, passwd, passphrase, pwd, secret,
//   token,
//     api key, access key, private key, credential): "--password X", "--password=X", "/password:X",
//     "DB_PASSWORD=X", also inside a longer argument ("sh -c 'PGPASSWORD=x psql'", "?token=x&…", "password:
//     x");
//   - "-pX" and "-p X" of programs that take a password there (mysql and its kin, sshpass, 7z and others),
//   "-u user:X"
//     and "--user user:X" of curl and wget;
//   - the password in a URL, "scheme://user:X@host";
//   - what follows "Authorization:", "Bearer" and "Basic";
//   - keys that are known by their form: AWS access keys (AKIA…, ASIA…), GitHub (ghp_…, github_pat_…), GitLab
//     (glpat-…), Slack (xox?-…), Stripe and OpenAI (sk-…, sk_live_…), Google (AIza…), JSON web tokens
//     (eyJ….….…).
// A file or folder named after the option ("--password-file X", "--token-path X") stays readable.
void MaskSecrets(std::vector<std::string>* argv);

}  // namespace cordon::agent
