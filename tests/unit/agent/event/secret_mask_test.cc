#include "agent/event/secret_mask.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cordon::agent {
namespace {

using Words = std::vector<std::string>;

struct Case {
  Words given;
  Words wanted;
};

Words Masked(Words argv) {
  MaskSecrets(&argv);
  return argv;
}

TEST(SecretMask, HidesTheValuesOfOptionsAndVariables) {
  const std::vector<Case> cases = {
      {{"backup", "--password", "hunter2", "--host", "pms"},
       {"backup", "--password", "***", "--host", "pms"}},
      {{"backup", "--password=hunter2"}, {"backup", "--password=***"}},
      {{"backup", "--password=two words"}, {"backup", "--password=***"}},
      {{"backup", "-password", "hunter2"}, {"backup", "-password", "***"}},
      {{"backup", "--db-passwd=x", "--API_KEY", "y"}, {"backup", "--db-passwd=***", "--API_KEY", "***"}},
      {{"env", "DB_PASSWORD=x", "PGPASSWORD=y", "prog"},
       {"env", "DB_PASSWORD=***", "PGPASSWORD=***", "prog"}},
      {{"xfreerdp", "/u:vet", "/password:x"}, {"xfreerdp", "/u:vet", "/password:***"}},
      {{"openssl", "rsa", "-passin", "pass:x"}, {"openssl", "rsa", "-passin", "***"}},
      {{"aws", "--secret-access-key", "x"}, {"aws", "--secret-access-key", "***"}},
  };
  for (const Case& one : cases) EXPECT_EQ(Masked(one.given), one.wanted);
}

TEST(SecretMask, KnowsProgramsWithAShortOption) {
  const std::vector<Case> cases = {
      {{"mysql", "-u", "root", "-phunter2", "pms"}, {"mysql", "-u", "root", "-p***", "pms"}},
      {{"/usr/bin/mysqldump", "-phunter2"}, {"/usr/bin/mysqldump", "-p***"}},
      {{"mysql", "-p", "pms"}, {"mysql", "-p", "pms"}},  // asks; pms is the database
      {{"sudo", "mysql", "-phunter2"}, {"sudo", "mysql", "-p***"}},
      {{"sshpass", "-p", "hunter2", "ssh", "nas"}, {"sshpass", "-p", "***", "ssh", "nas"}},
      {{"curl", "-u", "vet:hunter2", "http://pms/"}, {"curl", "-u", "vet:***", "http://pms/"}},
      {{"curl", "--user", "vet:hunter2"}, {"curl", "--user", "vet:***"}},
      {{"smbclient", "-U", "vet%hunter2", "//nas/x"}, {"smbclient", "-U", "vet%***", "//nas/x"}},
  };
  for (const Case& one : cases) EXPECT_EQ(Masked(one.given), one.wanted);
}

TEST(SecretMask, HidesPasswordsInUrlsAndHeaders) {
  const std::vector<Case> cases = {
      {{"git", "clone", "https://vet:hunter2@host/x.git"}, {"git", "clone", "https://vet:***@host/x.git"}},
      {{"psql", "postgresql://vet:p@ss@db/pms?x=1"}, {"psql", "postgresql://vet:***@db/pms?x=1"}},
      {{"curl", "-H", "Authorization: Bearer abc.def"}, {"curl", "-H", "Authorization: ***"}},
      {{"curl", "-H", "X-Api-Key: abc"}, {"curl", "-H", "X-Api-Key: ***"}},
      {{"call", "Bearer", "abc.def"}, {"call", "Bearer", "***"}},
      {{"call", "bear", "bearers", "abc"}, {"call", "bear", "bearers", "abc"}},
      {{"curl", "https://host/x?token=abc&page=2"}, {"curl", "https://host/x?token=***&page=2"}},
      {{"curl", "-d", R"({"user":"vet","password":"x y"})"},
       {"curl", "-d", R"({"user":"vet","password":"***"})"}},
  };
  for (const Case& one : cases) EXPECT_EQ(Masked(one.given), one.wanted);
}

TEST(SecretMask, LooksIntoCommandsInsideOfArguments) {
  const std::vector<Case> cases = {
      {{"sh", "-c", "PGPASSWORD=x psql -h db"}, {"sh", "-c", "PGPASSWORD=*** psql -h db"}},
      {{"sh", "-c", "mysql -phunter2 pms"}, {"sh", "-c", "mysql -p*** pms"}},
      {{"bash", "-c", "tool --password 'two words' --x"}, {"bash", "-c", "tool --password *** --x"}},
      {{"ssh", "nas", "sh -c \"tool --token abc\""}, {"ssh", "nas", "sh -c \"tool --token ***\""}},
  };
  for (const Case& one : cases) EXPECT_EQ(Masked(one.given), one.wanted);
}

TEST(SecretMask, KnowsKeysByTheirForm) {
  EXPECT_EQ(Masked({"x", "AKIAIOSFODNN7EXAMPLE"}), (Words{"x", "***"}));
  EXPECT_EQ(Masked({"x", "key:ghp_0123456789abcdefghijABCDEFGHIJ0123"}), (Words{"x", "key:***"}));
  EXPECT_EQ(Masked({"x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.sig"}), (Words{"x", "***"}));
}

TEST(SecretMask, LeavesTheRestAsItIs) {
  const std::vector<Words> harmless = {
      {"ls", "-la", "/home/vet"},
      {"tar", "-pxf", "a.tar"},
      {"cp", "-p", "a", "b"},
      {"ssh", "-p", "22", "nas"},
      {"env", "PWD=/home/vet", "OLDPWD=/"},
      {"tool", "--password-file", "/etc/pw", "--token-path=/x"},
      {"passwd", "vet"},
      {"curl", "http://host:8080/a@b"},
      {"sh", "-c", "echo  two   blanks"},
      {"", "-", "--", "=", ":", "--password"},
      {"task-sk-1", "AKIAshort"},
      {},
  };
  for (const Words& words : harmless) EXPECT_EQ(Masked(words), words);
}

}  // namespace
}  // namespace cordon::agent
