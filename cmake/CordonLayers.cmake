# The layer table: a module may use modules of a strictly lower rank, or those that its row names.
# cordon_module() refuses anything else at configure time; tests/lint/layers_test checks #include lines too.
#
#   module                    rank
set(CORDON_LAYERS
  common_base                 0
  common_crypto               1
  common_sqlite               1
  proto                       2
  platform_api                2
  common_wire                 3
  common_rpc                  3
  common_rules                3
  platform_os                 3
  platform_windows_pure       3
  agent_event                 4
  agent_names                 4
  agent_spool                 5
  agent_flows                 5
  agent_isolation             5
  agent_integrity             5
  agent_process               5
  agent_scan                  5
  agent_health                5
  agent_keeper                6
  agent_keeper_main           9
  agent_telemetry             6
  agent_rehearsal             6
  agent_orders                6
  agent_unlock                6
  proto_grpc                  6
  agent_link                  7
  agent_app                   8
  agent_main                  9
  controller_store            5
  controller_pki              5
  controller_keys             5
  controller_export           6
  controller_server          7
  controller_app              8
  controller_main             9
  cordonctl                   8
  cordonctl_main              9
  fleet_sim                   8
)

# Side of a module: an agent module never uses a controller module, nor the other way round.
function(cordon_layer_rank MODULE OUT)
  list(FIND CORDON_LAYERS "${MODULE}" _at)
  if(_at EQUAL -1)
    message(FATAL_ERROR "module '${MODULE}' is not in the layer table (cmake/CordonLayers.cmake)")
  endif()
  math(EXPR _at "${_at} + 1")
  list(GET CORDON_LAYERS ${_at} _rank)
  set(${OUT} ${_rank} PARENT_SCOPE)
endfunction()

function(cordon_check_layers MODULE)
  cordon_layer_rank(${MODULE} _own)
  foreach(_dep IN LISTS ARGN)
    cordon_layer_rank(${_dep} _rank)
    if(NOT _rank LESS _own)
      message(FATAL_ERROR "layer violation: ${MODULE} (rank ${_own}) may not use ${_dep} (rank ${_rank})")
    endif()
    if((MODULE MATCHES "^agent_" AND _dep MATCHES "^(controller_|cordonctl)") OR
       (MODULE MATCHES "^(controller_|cordonctl)" AND _dep MATCHES "^agent_"))
      message(FATAL_ERROR "layer violation: ${MODULE} may not use ${_dep}: agent and controller share only common")
    endif()
    if(_dep MATCHES "^(proto_grpc|common_rpc)$" AND MODULE MATCHES "^agent_" AND NOT MODULE STREQUAL "agent_link")
      message(FATAL_ERROR "layer violation: only agent_link includes gRPC, not ${MODULE}")
    endif()
  endforeach()
endfunction()
