/** The components of Element Plus that the console uses, each with its style, and no others. */
import type { App, DefineComponent } from 'vue';
import * as components from './elementList';
import 'element-plus/theme-chalk/base.css';
import 'element-plus/theme-chalk/el-button.css';
import 'element-plus/theme-chalk/el-checkbox.css';
import 'element-plus/theme-chalk/el-checkbox-group.css';
import 'element-plus/theme-chalk/el-date-picker.css';
import 'element-plus/theme-chalk/el-date-picker-panel.css';
import 'element-plus/theme-chalk/el-dialog.css';
import 'element-plus/theme-chalk/el-form.css';
import 'element-plus/theme-chalk/el-form-item.css';
import 'element-plus/theme-chalk/el-icon.css';
import 'element-plus/theme-chalk/el-input.css';
import 'element-plus/theme-chalk/el-input-number.css';
import 'element-plus/theme-chalk/el-message.css';
import 'element-plus/theme-chalk/el-message-box.css';
import 'element-plus/theme-chalk/el-option.css';
import 'element-plus/theme-chalk/el-overlay.css';
import 'element-plus/theme-chalk/el-popper.css';
import 'element-plus/theme-chalk/el-progress.css';
import 'element-plus/theme-chalk/el-radio-button.css';
import 'element-plus/theme-chalk/el-radio-group.css';
import 'element-plus/theme-chalk/el-scrollbar.css';
import 'element-plus/theme-chalk/el-select.css';
import 'element-plus/theme-chalk/el-select-dropdown.css';
import 'element-plus/theme-chalk/el-switch.css';
import 'element-plus/theme-chalk/el-tab-pane.css';
import 'element-plus/theme-chalk/el-tabs.css';
import 'element-plus/theme-chalk/el-tag.css';
import 'element-plus/theme-chalk/el-tree.css';

/* Where Element Plus declares the props by their runtime checks, which says nothing to a template, the
 * props that we use stand here. */
type Said = {
  ElConfigProvider: DefineComponent<{ locale: object }>;
  ElOption: DefineComponent<{ value: string | number; label?: string; disabled?: boolean }>;
  ElSelect: DefineComponent<{
    modelValue: string | number | string[];
    multiple?: boolean;
    filterable?: boolean;
    clearable?: boolean;
    disabled?: boolean;
    placeholder?: string;
    emptyValues?: unknown[];
  }>;
  ElTabPane: DefineComponent<{ name: string; label: string }>;
  ElTabs: DefineComponent<{ modelValue: string }>;
};
declare module 'vue' {
  export interface GlobalComponents extends Omit<typeof components, keyof Said>, Said {}
}

export function useElements(app: App): void {
  for (const [name, component] of Object.entries(components)) app.component(name, component);
}
