"""The fields of public data sets as their pages in TensorFlow Datasets' catalogue list them, copied by hand.

They are written down once more, apart from our descriptions, so that a slip in one of the two is found. One line for
each group: dtype, then path or path[sizes]; "image" stands for uint8 images, "text" for strings.
"""

from __future__ import annotations

RLDS = "bool: is_first is_last is_terminal; float32: reward; "
CONVERTED = RLDS + "float32: discount language_embedding[512]; text: language_instruction; "
GOOGLE = RLDS + "float32: observation/natural_language_embedding[512]; text: observation/natural_language_instruction; "
FILE = "text: episode_metadata/file_path; "
ARM = "float32: action/world_vector[3] action/rotation_delta[3]; "
OXE_ARM = (
    ARM + "int32: action/terminate_episode[3]; float32: action/gripper_closedness_action[1] "
    "action/base_displacement_vector[2] action/base_displacement_vertical_rotation[1]; "
)
TABLE = (
    RLDS + "float32: action[2] observation/effector_target_translation[2] observation/effector_translation[2]; "
    "int32: observation/instruction[512]; image: observation/rgb[360,640,3]; "
)

STEPS = {
    "austin_buds": CONVERTED + "float32: action[7] observation/state[24]; "
    "image: observation/image[128,128,3] observation/wrist_image[128,128,3]",
    "austin_sailor": CONVERTED
    + "float32: action[7] observation/state[8] observation/state_ee[16] observation/state_gripper[1] "
    "observation/state_joint[7]; image: observation/image[128,128,3] observation/wrist_image[128,128,3]",
    "austin_sirius": CONVERTED
    + "float32: action[7] action_mode[1] intv_label[1] observation/state[8] observation/state_ee[16] "
    "observation/state_gripper[1] observation/state_joint[7]; "
    "image: observation/image[84,84,3] observation/wrist_image[84,84,3]",
    "bc_z": GOOGLE
    + "float32: action/future/axis_angle_residual[30] action/future/xyz_residual[30] observation/episode_success "
    "observation/present/axis_angle[3] observation/present/sensed_close[1] observation/present/xyz[3]; "
    "int64: action/future/target_close[10] observation/present/autonomous observation/present/intervention "
    "observation/sequence_length; image: observation/image[171,213,3]",
    "berkeley_autolab_ur5": GOOGLE
    + ARM
    + "float32: action/gripper_closedness_action action/terminate_episode observation/robot_state[15]; "
    "image: observation/image[480,640,3] observation/hand_image[480,640,3]; "
    "depth: observation/image_with_depth[480,640,1]",
    "berkeley_cable_routing": GOOGLE
    + ARM
    + "float32: action/terminate_episode observation/robot_state[7]; image: observation/image[128,128,3] "
    "observation/top_image[128,128,3] observation/wrist225_image[128,128,3] observation/wrist45_image[128,128,3]",
    "bridge": GOOGLE + ARM + "bool: action/open_gripper; float32: action/terminate_episode observation/state[7]; "
    "image: observation/image[480,640,3]",
    "bridge_v2": CONVERTED
    + "float32: action[7] observation/state[7]; image: observation/image_0[256,256,3] observation/image_1[256,256,3] "
    "observation/image_2[256,256,3] observation/image_3[256,256,3]",
    "droid": RLDS + "float32: discount; text: language_instruction language_instruction_2 language_instruction_3; "
    "float64: action[7] action_dict/cartesian_position[6] action_dict/cartesian_velocity[6] "
    "action_dict/gripper_position[1] action_dict/gripper_velocity[1] action_dict/joint_position[7] "
    "action_dict/joint_velocity[7] observation/cartesian_position[6] observation/gripper_position[1] "
    "observation/joint_position[7]; image: observation/exterior_image_1_left[180,320,3] "
    "observation/exterior_image_2_left[180,320,3] observation/wrist_image_left[180,320,3]",
    "fmb": CONVERTED + "float32: action[7] observation/eef_force[3] observation/eef_pose[7] observation/eef_torque[3] "
    "observation/eef_vel[6] observation/joint_pos[7] observation/joint_vel[7] observation/state_gripper_pose "
    "observation/image_side_1_depth[256,256] observation/image_side_2_depth[256,256] "
    "observation/image_wrist_1_depth[256,256] observation/image_wrist_2_depth[256,256]; "
    "uint8: observation/color_id observation/object_id observation/shape_id; "
    "text: observation/length observation/primitive observation/size; "
    "image: observation/image_side_1[256,256,3] observation/image_side_2[256,256,3] "
    "observation/image_wrist_1[256,256,3] observation/image_wrist_2[256,256,3]",
    "fractal": GOOGLE + OXE_ARM + "float32: observation/base_pose_tool_reached[7] observation/gripper_closed[1] "
    "observation/gripper_closedness_commanded[1] observation/height_to_bottom[1] observation/orientation_box[2,3] "
    "observation/orientation_start[4] observation/robot_orientation_positions_box[3,3] "
    "observation/rotation_delta_to_go[3] observation/src_rotation[4] observation/vector_to_go[3] "
    "observation/workspace_bounds[3,3]; image: observation/image[256,320,3]",
    "jaco_play": GOOGLE
    + "float32: action/world_vector[3] action/gripper_closedness_action[1] observation/end_effector_cartesian_pos[7] "
    "observation/end_effector_cartesian_velocity[6] observation/joint_pos[8]; int32: action/terminate_episode[3]; "
    "image: observation/image[224,224,3] observation/image_wrist[224,224,3]",
    "kuka": GOOGLE + OXE_ARM + "float32: observation/clip_function_input/base_pose_tool_reached[7] "
    "observation/clip_function_input/workspace_bounds[3,3] observation/gripper_closed[1] "
    "observation/height_to_bottom[1] observation/task_id[1]; image: observation/image[512,640,3]",
    "language_table": TABLE,
    "language_table_sim": TABLE,
    "nyu_door_opening": GOOGLE
    + ARM
    + "float32: action/gripper_closedness_action[1] action/terminate_episode; image: observation/image[720,960,3]",
    "nyu_franka_play": CONVERTED + "float32: action[15] observation/state[13]; "
    "int32: observation/depth[128,128,1] observation/depth_additional_view[128,128,1]; "
    "image: observation/image[128,128,3] observation/image_additional_view[128,128,3]",
    "nyu_rot": CONVERTED + "float32: action[7] observation/state[7]; image: observation/image[84,84,3]",
    "stanford_hydra": CONVERTED + "bool: is_dense; float32: action[7] observation/state[27]; "
    "image: observation/image[240,320,3] observation/wrist_image[240,320,3]",
    "taco_play": GOOGLE
    + "float32: action/actions[7] action/rel_actions_gripper[7] action/rel_actions_world[7] action/terminate_episode "
    "observation/depth_gripper[84,84] observation/depth_static[150,200] observation/robot_obs[15]; "
    "text: observation/structured_language_instruction; "
    "image: observation/rgb_gripper[84,84,3] observation/rgb_static[150,200,3]",
    "ucsd_kitchen": CONVERTED + "float32: action[8] observation/state[21]; image: observation/image[480,640,3]",
    "ucsd_pick_and_place": CONVERTED + "float32: action[4] observation/state[7]; image: observation/image[224,224,3]",
}
"""Name in our catalogue -> fields of a step."""

WITH_FILE = (
    *("austin_buds", "austin_sailor", "austin_sirius", "nyu_franka_play", "nyu_rot", "stanford_hydra"),
    *("ucsd_kitchen", "droid", "bridge_v2", "fmb", "ucsd_pick_and_place"),
)
EPISODE = dict.fromkeys(STEPS, "") | dict.fromkeys(WITH_FILE, FILE)
EPISODE["bridge_v2"] += (
    "int32: episode_metadata/episode_id; bool: episode_metadata/has_image_0 episode_metadata/has_image_1 "
    "episode_metadata/has_image_2 episode_metadata/has_image_3 episode_metadata/has_language"
)
EPISODE["droid"] += "text: episode_metadata/recording_folderpath"
EPISODE["fmb"] += (
    "float32: episode_metadata/episode_language_embedding[512]; "
    "text: episode_metadata/episode_language_instruction episode_metadata/episode_task"
)
EPISODE["ucsd_pick_and_place"] += (
    "text: episode_metadata/disclaimer episode_metadata/success_labeled_by; "
    "int32: episode_metadata/n_transitions; bool: episode_metadata/success"
)
EPISODE["kuka"] = "bool: success"
EPISODE["language_table"] = EPISODE["language_table_sim"] = "text: episode_id"
EPISODE["fractal"] = (
    "bool: aspects/already_success aspects/feasible aspects/has_aspects aspects/success aspects/undesirable; "
    "int64: attributes/collection_mode attributes/data_type attributes/env attributes/location "
    "attributes/objects_family attributes/task_family; "
    "text: attributes/collection_mode_name attributes/data_type_name attributes/env_name attributes/location_name "
    "attributes/objects_family_name attributes/task_family_name"
)

CONTROL_HZ = {
    "fractal": 3, "kuka": 10, "bridge": 5, "bridge_v2": 5, "taco_play": 15, "jaco_play": 10,
    "berkeley_cable_routing": 10, "nyu_door_opening": 3, "berkeley_autolab_ur5": 5, "language_table": 10,
    "language_table_sim": 10, "nyu_rot": 3, "stanford_hydra": 10, "austin_buds": 20, "nyu_franka_play": 3,
    "ucsd_kitchen": 2, "ucsd_pick_and_place": 3, "austin_sailor": 20, "austin_sirius": 20, "bc_z": 10, "droid": 15,
    "fmb": 10,
}  # fmt: skip
"""Actions per second as in the overview of Open X-Embodiment, and as LeRobot's conversions of the same sets have it."""


def parse(lines: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Path -> dtype and sizes."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for group in filter(str.strip, lines.split(";")):
        kind, _, paths = group.partition(":")
        for path in paths.split():
            name, _, sizes = path.rstrip("]").partition("[")
            found[name] = (kind.strip(), tuple(int(size) for size in sizes.split(",") if size))
    return found
