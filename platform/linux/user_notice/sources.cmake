list(APPEND _sources
  user_notice/desktop.cc user_notice/sessions.cc user_notice/tell_users.cc user_notice/wall_text.cc)
