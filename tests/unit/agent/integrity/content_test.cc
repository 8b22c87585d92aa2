#include "agent/integrity/content.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "agent/integrity/file_look.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "tests/support/lease.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

std::string Text(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += "The patient, a cat of four years, was seen for a check of its teeth. ";
  return text.substr(0, bytes);
}

TEST(Content, EncryptedBytesAreNoiseAtEveryLengthThatCanBeJudged) {
  for (const size_t bytes : {512, 777, 4096, 8192, 100'000}) {
    int noise = 0;
    for (int i = 0; i < 50; ++i) noise += JudgeContent(RandomBytes(bytes)) == Content::kNoise ? 1 : 0;
    EXPECT_GE(noise, 49) << bytes;  // one in 100,000 may miss by chance
  }
}

TEST(Content, TextProgramsAndTablesAreOrdered) {
  EXPECT_EQ(JudgeContent(Text(8192)), Content::kOrdered);
  EXPECT_EQ(JudgeContent(Text(512)), Content::kOrdered);
  EXPECT_EQ(JudgeContent(std::string(4096, '\0')), Content::kOrdered);
  std::string counting;
  for (int i = 0; i < 2000; ++i) counting += std::to_string(i * 7919) + ";";
  EXPECT_EQ(JudgeContent(counting), Content::kOrdered);
}

TEST(Content, AKnownHeaderExcusesNoise) {
  for (const std::string header :
       {"PK\x03\x04", "%PDF-1.7", "\xff\xd8\xff\xe0", "\x89PNG\r\n", "7z\xbc\xaf\x27\x1c"}) {
    EXPECT_EQ(JudgeContent(header + RandomBytes(8000)), Content::kPacked) << header;
  }
  EXPECT_EQ(JudgeContent(RandomBytes(128) + "DICM" + RandomBytes(8000)), Content::kPacked);
}

TEST(Content, AShortFileSaysNothing) {
  EXPECT_EQ(JudgeContent(""), Content::kTooShort);
  EXPECT_EQ(JudgeContent(RandomBytes(511)), Content::kTooShort);
}

TEST(Content, DocumentsAreKnownByTheirLastExtension) {
  for (const char* path :
       {"/srv/a.docx", "/srv/A.DOCX", "x-ray.dcm", "/srv/a.b.pdf", "C:\\Users\\ann\\letter.txt"}) {
    EXPECT_TRUE(IsDocument(path)) << path;
  }
  for (const char* path : {"/srv/a.docx.locked", "/srv/program", "/srv/.docx", "/srv.docx/a", "a.so", ""}) {
    EXPECT_FALSE(IsDocument(path)) << path;
  }
}

TEST(FileLook, WhatALeaseKeepsShutIsHashedWhenItIsGivenUp) {
  const testing::TempFolder folder;
  SettledPath settled;
  settled.path = folder / "report.docx";
  std::ofstream(settled.path) << "content";
  const testing::Lease lease(settled.path);
  if (!lease.Held()) GTEST_SKIP() << "no leases on this file system";
  const LookOptions options{.max_hash_bytes = 100, .judge = true, .keep_going = [] { return true; }};
  FoundFile found = LookAt(settled, options);
  EXPECT_TRUE(found.hash_later);
  HashFound(settled.path, options, &found);
  EXPECT_NE(found.hash_skipped, "");
  lease.LetGo();
  HashFound(settled.path, options, &found);
  EXPECT_EQ(found.hash_skipped, "");
  EXPECT_EQ(found.state.sha256(), Sha256("content"));
}

}  // namespace
}  // namespace cordon::agent
