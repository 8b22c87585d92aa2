list(APPEND _sources
  files/attributes.cc
  files/capability_text.cc
  files/default_watch.cc
  files/event_buffer.cc
  files/event_translator.cc
  files/fanotify_decode.cc
  files/fanotify_group.cc
  files/fanotify_source.cc
  files/file_names.cc
  files/file_tree.cc
  files/folder_cache.cc
  files/mount_table.cc
  files/no_links.cc
  files/open_folder.cc
  files/watch_map.cc
  files/watch_scope.cc
)
